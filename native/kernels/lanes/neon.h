// 16 floats in four NEON registers: the vector type that the bodies of ../vector are written against. Included first.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "kernels/kernel_table.h"

#ifndef FOVEA_TIER  // a tier of the same registers with more instructions names itself
#define FOVEA_TIER neon
#endif
#define FOVEA_INLINE inline __attribute__((always_inline))

#include "kernels/lanes/arm_flush_subnormals.h"

namespace fovea::FOVEA_TIER {
namespace {

FOVEA_INLINE float square_root(float x) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0); }

struct Vec {
  float32x4_t q[4];
};

// Register plan of gemm: 4 x 1 panels is 16 of the 32 registers, as many as four pipes of latency 4 fill. Of 6 x 1
// compilers spill some.
constexpr int kTileRows = 4;
constexpr int tile_panels(int rows) { return rows <= 2 ? 2 : 1; }

// One operation on each quarter.
template <typename F>
FOVEA_INLINE Vec each(Vec a, F f) {
  return {{f(a.q[0]), f(a.q[1]), f(a.q[2]), f(a.q[3])}};
}
template <typename F>
FOVEA_INLINE Vec each(Vec a, Vec b, F f) {
  return {{f(a.q[0], b.q[0]), f(a.q[1], b.q[1]), f(a.q[2], b.q[2]), f(a.q[3], b.q[3])}};
}
FOVEA_INLINE Vec all(float32x4_t a) { return {{a, a, a, a}}; }

FOVEA_INLINE Vec zero() { return all(vdupq_n_f32(0)); }
FOVEA_INLINE Vec splat(float x) { return all(vdupq_n_f32(x)); }
FOVEA_INLINE Vec load(const float* p) {
  return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
FOVEA_INLINE void store(float* p, Vec a) {
  vst1q_f32(p, a.q[0]);
  vst1q_f32(p + 4, a.q[1]);
  vst1q_f32(p + 8, a.q[2]);
  vst1q_f32(p + 12, a.q[3]);
}
// The first count < 16 lanes; the others read as zero and are not written.
FOVEA_INLINE Vec load(const float* p, int64_t count) {
  float lanes[16] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load(lanes);
}
FOVEA_INLINE void store(float* p, Vec a, int64_t count) {
  float lanes[16];
  store(lanes, a);
  for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}
FOVEA_INLINE Vec keep_first(Vec a, int64_t count) {
  float lanes[16];
  store(lanes, a);
  return load(lanes, count);
}

FOVEA_INLINE float32x4_t widen_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
FOVEA_INLINE Vec load_f16(const uint16_t* p) {
  return {{widen_f16(p), widen_f16(p + 4), widen_f16(p + 8), widen_f16(p + 12)}};
}
FOVEA_INLINE float32x4_t widen_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
FOVEA_INLINE Vec load_bf16(const uint16_t* p) {
  return {{widen_bf16(p), widen_bf16(p + 4), widen_bf16(p + 8), widen_bf16(p + 12)}};
}
// The first and the second of 16 pairs of bf16.
FOVEA_INLINE float32x4_t first_of(uint32x4_t words) { return vreinterpretq_f32_u32(vshlq_n_u32(words, 16)); }
FOVEA_INLINE float32x4_t second_of(uint32x4_t words) {
  return vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xffff0000u)));
}
FOVEA_INLINE uint32x4_t bits_of(float32x4_t a) { return vreinterpretq_u32_f32(a); }
FOVEA_INLINE Vec load_words(const void* p) { return load(static_cast<const float*>(p)); }
FOVEA_INLINE Vec load_first(const void* pairs) {
  return each(load_words(pairs), [](float32x4_t a) { return first_of(bits_of(a)); });
}
FOVEA_INLINE Vec load_second(const void* pairs) {
  return each(load_words(pairs), [](float32x4_t a) { return second_of(bits_of(a)); });
}
// To the nearest bf16, ties to even; NaN stays NaN.
FOVEA_INLINE Vec round_bf16(Vec a) {
  return each(a, [](float32x4_t x) {
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits_of(x), 16), vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(bits_of(x), vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    return vbslq_f32(vceqq_f32(x, x), second_of(up), vaddq_f32(x, x));
  });
}
// 16 pairs of numbers that a bf16 can hold.
FOVEA_INLINE void store_pairs(void* out, Vec first, Vec second) {
  store(static_cast<float*>(out), each(first, second, [](float32x4_t a, float32x4_t b) {
          return vreinterpretq_f32_u32(vorrq_u32(vshrq_n_u32(bits_of(a), 16), bits_of(b)));
        }));
}

FOVEA_INLINE Vec operator+(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); });
}
FOVEA_INLINE Vec operator-(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return vsubq_f32(x, y); });
}
FOVEA_INLINE Vec operator*(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); });
}
FOVEA_INLINE Vec operator/(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return vdivq_f32(x, y); });
}
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {{vfmaq_f32(c.q[0], a.q[0], b.q[0]), vfmaq_f32(c.q[1], a.q[1], b.q[1]), vfmaq_f32(c.q[2], a.q[2], b.q[2]),
           vfmaq_f32(c.q[3], a.q[3], b.q[3])}};
}
// b if one is NaN, both of them.
FOVEA_INLINE float32x4_t larger(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
FOVEA_INLINE Vec max(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return larger(x, y); });
}
FOVEA_INLINE Vec min(Vec a, Vec b) {
  return each(a, b, [](float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); });
}
FOVEA_INLINE Vec abs(Vec a) {
  return each(a, [](float32x4_t x) { return vabsq_f32(x); });
}
FOVEA_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return each(magnitude, sign, [](float32x4_t x, float32x4_t s) { return vbslq_f32(vdupq_n_u32(0x80000000u), s, x); });
}
// value, or 0 in the lanes where x < limit.
FOVEA_INLINE Vec zero_where_less(Vec x, Vec limit, Vec value) {
  const Vec less = each(x, limit, [](float32x4_t a, float32x4_t b) { return vreinterpretq_f32_u32(vcltq_f32(a, b)); });
  return each(value, less, [](float32x4_t a, float32x4_t mask) {
    return vreinterpretq_f32_u32(vbicq_u32(bits_of(a), bits_of(mask)));
  });
}
// 2^n, where n is in the low bits of shifted (see exp_constants.h).
FOVEA_INLINE Vec power_of_two(Vec shifted) {
  return each(shifted, [](float32x4_t a) {
    return vreinterpretq_f32_u32(vaddq_u32(vshlq_n_u32(bits_of(a), 23), vdupq_n_u32(0x3f800000u)));
  });
}

// 8 doubles.
struct Wide {
  float64x2_t q[4];
};
constexpr int kDotTile = 2;  // rows times rows: 4 sums in 16 of the 32 registers
FOVEA_INLINE Wide zero_wide() {
  const float64x2_t none = vdupq_n_f64(0);
  return {{none, none, none, none}};
}
FOVEA_INLINE Wide widen(float32x4_t a, float32x4_t b) {
  return {{vcvt_f64_f32(vget_low_f32(a)), vcvt_high_f64_f32(a), vcvt_f64_f32(vget_low_f32(b)), vcvt_high_f64_f32(b)}};
}
FOVEA_INLINE Wide widen(const float* p) { return widen(vld1q_f32(p), vld1q_f32(p + 4)); }
// The first count < 8 floats; the others read as zero.
FOVEA_INLINE Wide widen(const float* p, int64_t count) {
  const Vec some = load(p, count);
  return widen(some.q[0], some.q[1]);
}
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) {
  return {{vfmaq_f64(c.q[0], a.q[0], b.q[0]), vfmaq_f64(c.q[1], a.q[1], b.q[1]), vfmaq_f64(c.q[2], a.q[2], b.q[2]),
           vfmaq_f64(c.q[3], a.q[3], b.q[3])}};
}
// Folds in halves: lane i + lane i + 4, then + 2, + 1.
FOVEA_INLINE double sum_lanes(Wide a) {
  const float64x2_t two = vaddq_f64(vaddq_f64(a.q[0], a.q[2]), vaddq_f64(a.q[1], a.q[3]));
  return vgetq_lane_f64(two, 0) + vgetq_lane_f64(two, 1);
}

// Folds in halves: lane i + lane i + 8, then + 4, + 2, + 1.
FOVEA_INLINE float sum_lanes(Vec a) {
  const float32x4_t four = vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
FOVEA_INLINE float max_lanes(Vec a) { return vmaxvq_f32(larger(larger(a.q[0], a.q[2]), larger(a.q[1], a.q[3]))); }

struct Ints {
  int32x4_t q[4];
};
FOVEA_INLINE Ints load_ints(const void* p) {
  const auto* x = static_cast<const int32_t*>(p);
  return {{vld1q_s32(x), vld1q_s32(x + 4), vld1q_s32(x + 8), vld1q_s32(x + 12)}};
}
FOVEA_INLINE void store_ints(void* p, Ints a) {
  auto* out = static_cast<int32_t*>(p);
  vst1q_s32(out, a.q[0]);
  vst1q_s32(out + 4, a.q[1]);
  vst1q_s32(out + 8, a.q[2]);
  vst1q_s32(out + 12, a.q[3]);
}
FOVEA_INLINE Ints operator+(Ints a, Ints b) {
  return {{vaddq_s32(a.q[0], b.q[0]), vaddq_s32(a.q[1], b.q[1]), vaddq_s32(a.q[2], b.q[2]), vaddq_s32(a.q[3], b.q[3])}};
}
FOVEA_INLINE int32_t sum_lanes(Ints a) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(a.q[0], a.q[1]), vaddq_s32(a.q[2], a.q[3])));
}
FOVEA_INLINE Ints round_to_ints(Vec a) {  // to the nearest, ties to even
  return {{vcvtnq_s32_f32(a.q[0]), vcvtnq_s32_f32(a.q[1]), vcvtnq_s32_f32(a.q[2]), vcvtnq_s32_f32(a.q[3])}};
}
FOVEA_INLINE Vec to_floats(Ints a) {
  return {{vcvtq_f32_s32(a.q[0]), vcvtq_f32_s32(a.q[1]), vcvtq_f32_s32(a.q[2]), vcvtq_f32_s32(a.q[3])}};
}
FOVEA_INLINE void store_bytes(int8_t* p, Ints a) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(a.q[0]), vqmovn_s32(a.q[1]));
  const int16x8_t high = vcombine_s16(vqmovn_s32(a.q[2]), vqmovn_s32(a.q[3]));
  vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}

// 16 rows of 16 floats become 16 columns: 4 x 4 blocks of 4 x 4.
FOVEA_INLINE void transpose(Vec (&rows)[16]) {
  Vec columns[16];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float32x4_t r0 = rows[4 * i].q[j], r1 = rows[4 * i + 1].q[j];
      const float32x4_t r2 = rows[4 * i + 2].q[j], r3 = rows[4 * i + 3].q[j];
      const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1)), b = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
      const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3)), d = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
      columns[4 * j].q[i] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
      columns[4 * j + 1].q[i] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
      columns[4 * j + 2].q[i] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
      columns[4 * j + 3].q[i] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
    }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = columns[i];
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
