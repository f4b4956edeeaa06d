// Activations, sums, products, rotary positions.
#pragma once

#include "kernels/vector/exp_vec.h"
#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

// x * sigmoid(y)
FOVEA_INLINE Vec times_sigmoid(Vec x, Vec y) { return x / (splat(1.0f) + exp(zero() - y)); }

// erf to 5e-7, absolutely: Abramowitz and Stegun 7.1.26.
FOVEA_INLINE Vec erf(Vec x) {
  const Vec one = splat(1.0f), size = abs(x);
  const Vec t = one / fma(splat(0.3275911f), size, one);
  Vec p = fma(splat(1.061405429f), t, splat(-1.453152027f));
  p = fma(p, t, splat(1.421413741f));
  p = fma(p, t, splat(-0.284496736f));
  p = fma(p, t, splat(0.254829592f)) * t;
  return copy_sign(one - p * exp(zero() - size * size), x);
}

struct Gelu {
  static FOVEA_INLINE Vec of(Vec x) { return splat(0.5f) * x * (splat(1.0f) + erf(x * splat(0.707106781f))); }
};
// 0.5 * (1 + tanh(u)) is sigmoid(2 u).
struct GeluTanh {
  static FOVEA_INLINE Vec of(Vec x) {
    const Vec cubic = fma(splat(0.044715f) * x * x, x, x);
    return times_sigmoid(x, splat(1.595769122f) * cubic);
  }
};
struct QuickGelu {
  static FOVEA_INLINE Vec of(Vec x) { return times_sigmoid(x, splat(1.702f) * x); }
};
struct Silu {
  static FOVEA_INLINE Vec of(Vec x) { return times_sigmoid(x, x); }
};
struct Relu {
  static FOVEA_INLINE Vec of(Vec x) { return max(zero(), x); }
};

// out[i] = op(a[i], b[i])
template <typename Op>
FOVEA_INLINE void zip(const float* a, const float* b, int64_t n, float* out, Op op) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(out + i, op(load(a + i), load(b + i)));
  if (i < n) store(out + i, op(load(a + i, n - i), load(b + i, n - i)), n - i);
}

template <typename Act>
void activate(float* x, int64_t n) {
  zip(x, x, n, x, [](Vec a, Vec) { return Act::of(a); });
}

template <typename Act>
void gated(const float* x, int64_t x_stride, int64_t m, int64_t n, float* out, int64_t out_stride) {
  for (; m > 0; --m, x += x_stride, out += out_stride) {
    int64_t i = 0;
    for (; i + kPanel <= n; i += kPanel) store(out + i, Act::of(load(x + 2 * i)) * load(x + 2 * i + kPanel));
    if (i < n) store(out + i, Act::of(load(x + 2 * i)) * load(x + 2 * i + kPanel), n - i);
  }
}

void add(float* x, const float* y, int64_t n) {
  zip(x, y, n, x, [](Vec a, Vec b) { return a + b; });
}

void scale(const float* x, float factor, int64_t n, float* out) {
  const Vec f = splat(factor);
  zip(x, x, n, out, [f](Vec a, Vec) { return a * f; });
}

void multiply(const float* x, const float* y, int64_t n, float* out) {
  zip(x, y, n, out, [](Vec a, Vec b) { return a * b; });
}

void gated_conv(const float* rows, int64_t rows_stride, const float* weight, const float* bias, const float* gate,
                int64_t taps, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Vec sum = bias == nullptr ? zero() : load(bias + i);
    for (int64_t tap = 0; tap < taps; ++tap)
      sum = fma(load(weight + tap * n + i), load(rows + tap * rows_stride + i), sum);
    store(out + i, load(gate + i) * sum);
  }
  if (i == n) return;
  const int64_t count = n - i;
  Vec sum = bias == nullptr ? zero() : load(bias + i, count);
  for (int64_t tap = 0; tap < taps; ++tap)
    sum = fma(load(weight + tap * n + i, count), load(rows + tap * rows_stride + i, count), sum);
  store(out + i, load(gate + i, count) * sum, count);
}

void rope(float* x, const float* cosine, const float* sine, int64_t n_heads, int64_t d_head) {
  const int64_t half = d_head / 2;
  for (int64_t head = 0; head < n_heads; ++head, x += d_head) {
    float* y = x + half;
    for (int64_t i = 0; i < half; i += 16) {
      const int64_t count = half - i;
      if (count >= 16) {
        const Vec a = load(x + i), b = load(y + i), c = load(cosine + i), s = load(sine + i);
        store(x + i, a * c - b * s);
        store(y + i, b * c + a * s);
      } else {
        const Vec a = load(x + i, count), b = load(y + i, count), c = load(cosine + i, count),
                  s = load(sine + i, count);
        store(x + i, a * c - b * s, count);
        store(y + i, b * c + a * s, count);
      }
    }
  }
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
}

}  // namespace fovea::FOVEA_TIER
