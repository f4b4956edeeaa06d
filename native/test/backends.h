// The CPU backends that this machine can test.
#pragma once

#include "kernels/select.h"
#include "ops/ops.h"

namespace fovea::test {

// Every tier with one and three threads.
template <typename F>
void each_backend(F&& body) {
  for (const std::string& tier : available_tiers())
    for (const int threads : {1, 3}) body(*make_cpu_ops(threads, tier));
}

}  // namespace fovea::test
