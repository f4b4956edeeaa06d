// Panels of activations, and 16-bit floats to f32.
#include "base/half.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

void pack_rows(const float* x, int64_t x_stride, int64_t rows, int64_t k, float* out) {
  for (int64_t begin = 0; begin < rows; begin += kPanel, out += k * kPanel)
    for (int64_t i = 0; i < k; ++i)
      for (int64_t lane = 0; lane < kPanel; ++lane)
        out[i * kPanel + lane] = begin + lane < rows ? x[(begin + lane) * x_stride + i] : 0.0f;
}

void pack_columns(const float* x, int64_t x_stride, int64_t rows, int64_t n, float* out) {
  for (int64_t begin = 0; begin < n; begin += kPanel, out += rows * kPanel)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t lane = 0; lane < kPanel; ++lane)
        out[row * kPanel + lane] = begin + lane < n ? x[row * x_stride + begin + lane] : 0.0f;
}

void widen_f16(const uint16_t* x, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = f16_to_f32(x[i]);
}

void widen_bf16(const uint16_t* x, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = bf16_to_f32(x[i]);
}

}  // namespace

void fill_pack(KernelTable& table) {
  table.pack_rows = pack_rows;
  table.pack_columns = pack_columns;
  table.widen_f16 = widen_f16;
  table.widen_bf16 = widen_bf16;
}

}  // namespace fovea::reference
