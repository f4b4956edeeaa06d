// Activations, sums, products, rotary positions.
#include <cmath>

#include "base/half.h"
#include "kernels/reference/exp.h"
#include "kernels/reference/fill.h"

namespace fovea::reference {
namespace {

// x * sigmoid(y)
float times_sigmoid(float x, float y) { return x / (1.0f + exp_f32(-y)); }

struct Gelu {
  static float of(float x) { return 0.5f * x * (1.0f + std::erf(x * 0.707106781f)); }
};
// 0.5 * (1 + tanh(u)) is sigmoid(2 u).
struct GeluTanh {
  static float of(float x) {
    const float cubic = std::fma(0.044715f * x * x, x, x);
    return times_sigmoid(x, 1.595769122f * cubic);
  }
};
struct QuickGelu {
  static float of(float x) { return times_sigmoid(x, 1.702f * x); }
};
struct Silu {
  static float of(float x) { return times_sigmoid(x, x); }
};
struct Relu {
  static float of(float x) { return x < 0.0f ? 0.0f : x; }
};

template <typename Act>
void activate(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = Act::of(x[i]);
}

template <typename Act>
void gated(const float* x, int64_t x_stride, int64_t m, int64_t n, float* out, int64_t out_stride) {
  for (int64_t row = 0; row < m; ++row)
    for (int64_t i = 0; i < n; ++i) {
      const float* gate = x + row * x_stride + i / kPanel * 2 * kPanel + i % kPanel;
      out[row * out_stride + i] = Act::of(gate[0]) * gate[kPanel];
    }
}

void add(float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

void scale(const float* x, float factor, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * factor;
}

void multiply(const float* x, const float* y, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * y[i];
}

void gated_conv(const float* rows, int64_t rows_stride, const float* weight, const float* bias, const float* gate,
                int64_t taps, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    float sum = bias == nullptr ? 0.0f : bias[i];
    for (int64_t tap = 0; tap < taps; ++tap) sum = std::fma(weight[tap * n + i], rows[tap * rows_stride + i], sum);
    out[i] = gate[i] * sum;
  }
}

void rope(float* x, const float* cosine, const float* sine, int64_t n_heads, int64_t d_head) {
  const int64_t half = d_head / 2;
  for (int64_t head = 0; head < n_heads; ++head, x += d_head) {
    for (int64_t i = 0; i < half; ++i) {
      const float a = x[i], b = x[i + half];
      x[i] = a * cosine[i] - b * sine[i];
      x[i + half] = b * cosine[i] + a * sine[i];
    }
  }
}

bool all_finite(const float* x, int64_t n) {
  uint32_t found = 0;
  for (int64_t i = 0; i < n; ++i) found |= (bits_of_float(x[i]) & 0x7f800000u) == 0x7f800000u;
  return found == 0;
}

}  // namespace

void fill_elementwise(KernelTable& table) {
  table.activate[0] = activate<Gelu>;
  table.activate[1] = activate<GeluTanh>;
  table.activate[2] = activate<QuickGelu>;
  table.activate[3] = activate<Silu>;
  table.activate[4] = activate<Relu>;
  table.gated[0] = gated<Gelu>;
  table.gated[1] = gated<GeluTanh>;
  table.gated[2] = gated<QuickGelu>;
  table.gated[3] = gated<Silu>;
  table.gated[4] = gated<Relu>;
  table.add = add;
  table.scale = scale;
  table.multiply = multiply;
  table.gated_conv = gated_conv;
  table.rope = rope;
  table.all_finite = all_finite;
}

}  // namespace fovea::reference
