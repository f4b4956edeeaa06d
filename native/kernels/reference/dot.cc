// Dot products of rows in f64. A product of two f32 has at most 48 bits, so it is exact in f64, fused or not.
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

void dot_rows(const float* a, int64_t a_stride, int64_t m, const float* b, int64_t b_stride, int64_t n, int64_t k,
              double* out, int64_t out_stride) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      double sum[8] = {};
      for (int64_t i = 0; i < k; ++i) sum[i % 8] += double{a[row * a_stride + i]} * double{b[column * b_stride + i]};
      for (int width = 4; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) sum[i] += sum[i + width];
      out[row * out_stride + column] = sum[0];
    }
  }
}

}  // namespace

void fill_dot(KernelTable& table) { table.dot_rows = dot_rows; }

}  // namespace fovea::reference
