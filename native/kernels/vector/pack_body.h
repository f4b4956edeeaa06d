// Panels of activations, and 16-bit floats to f32.
#pragma once

#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

// x (rows <= 16, k) -> out [k][16], zero padded.
void pack_panel(const float* x, int64_t x_stride, int64_t rows, int64_t k, float* out) {
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

void pack_rows(const float* x, int64_t x_stride, int64_t rows, int64_t k, float* out) {
  for (int64_t begin = 0; begin < rows; begin += kPanel, out += k * kPanel) {
    const int64_t count = rows - begin < kPanel ? rows - begin : kPanel;
    pack_panel(x + begin * x_stride, x_stride, count, k, out);
  }
}

void pack_columns(const float* x, int64_t x_stride, int64_t rows, int64_t n, float* out) {
  for (int64_t begin = 0; begin < n; begin += kPanel, out += rows * kPanel) {
    const int64_t count = n - begin < kPanel ? n - begin : kPanel;
    for (int64_t row = 0; row < rows; ++row) {
      const float* p = x + row * x_stride + begin;
      store(out + row * kPanel, count == kPanel ? load(p) : load(p, count));
    }
  }
}

template <Vec (*kLoad)(const uint16_t*)>
void widen(const uint16_t* x, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(out + i, kLoad(x + i));
  if (i == n) return;
  uint16_t rest[16] = {};
  for (int64_t j = i; j < n; ++j) rest[j - i] = x[j];
  store(out + i, kLoad(rest), n - i);
}

}  // namespace

void fill_pack(KernelTable& table) {
  table.pack_rows = pack_rows;
  table.pack_columns = pack_columns;
  table.widen_f16 = widen<load_f16>;
  table.widen_bf16 = widen<load_bf16>;
}

}  // namespace fovea::FOVEA_TIER
