#include "io/tensor_source.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {

std::string shown_shape(std::span<const int64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return out + ")";
}

void require_shape(std::string_view name, std::span<const int64_t> got, std::initializer_list<int64_t> expected,
                   const std::string& where) {
  const std::span<const int64_t> wanted(expected.begin(), expected.size());
  if (!std::equal(got.begin(), got.end(), wanted.begin(), wanted.end()))
    throw Error(ErrorCode::kModelFormat, "tensor " + std::string(name) + " in " + where + " has shape " +
                                             shown_shape(got) + ", expected " + shown_shape(wanted));
}

}  // namespace fovea
