// Up to 16 rows become the lanes of one panel.
#pragma once

#include "kernels/kernel_table.h"

namespace fovea::FOVEA_TIER {
namespace {

// x (rows <= 16, k) -> out [k][16], zero padded.
inline void pack_panel(const float* x, int64_t x_stride, int64_t rows, int64_t k, float* out) {
  for (int64_t begin = 0; begin < k; begin += 16) {
    const int64_t count = k - begin < 16 ? k - begin : 16;
    Vec block[16];
    for (int64_t row = 0; row < 16; ++row) {
      const float* p = x + row * x_stride + begin;
      block[row] = row >= rows ? zero() : count == 16 ? load(p) : load(p, count);
    }
    transpose(block);
    for (int64_t i = 0; i < count; ++i) store(out + (begin + i) * kPanel, block[i]);
  }
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
