// The numbers of an f32 tensor, wherever it lies, in the host's memory.
#pragma once

#include <vector>

#include "ops/ops.h"

namespace fovea {

inline std::vector<float> host_copy(Ops& ops, const Tensor& x) {
  std::vector<float> numbers(static_cast<size_t>(x.elements()));
  if (!numbers.empty()) ops.copy_to_host(x, numbers.data());
  return numbers;
}

}  // namespace fovea
