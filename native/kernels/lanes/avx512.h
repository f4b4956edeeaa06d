// 16 floats in one zmm register: the vector type that the bodies of ../vector are written against. Included first.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/kernel_table.h"

#ifndef FOVEA_TIER  // a tier of the same registers with more instructions names itself
#define FOVEA_TIER avx512
#endif
#define FOVEA_INLINE inline __attribute__((always_inline))

#include "kernels/lanes/x86_flush_subnormals.h"

namespace fovea::FOVEA_TIER {
namespace {

FOVEA_INLINE float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

struct Vec {
  __m512 v;
};

// Register plan of gemm: 12 x 2 accumulators for tall tiles, 4 panels abreast where few rows leave room.
constexpr int kTileRows = 12;
constexpr int tile_panels(int rows) { return rows <= 6 ? 4 : 2; }

FOVEA_INLINE __mmask16 first(int64_t count) { return static_cast<__mmask16>((1u << count) - 1u); }

FOVEA_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
FOVEA_INLINE Vec splat(float x) { return {_mm512_set1_ps(x)}; }
FOVEA_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
FOVEA_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
// The first count < 16 lanes; the others read as zero and are not written.
FOVEA_INLINE Vec load(const float* p, int64_t count) { return {_mm512_maskz_loadu_ps(first(count), p)}; }
FOVEA_INLINE void store(float* p, Vec a, int64_t count) { _mm512_mask_storeu_ps(p, first(count), a.v); }
FOVEA_INLINE Vec keep_first(Vec a, int64_t count) { return {_mm512_maskz_mov_ps(first(count), a.v)}; }

FOVEA_INLINE Vec load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
FOVEA_INLINE Vec load_bf16(const uint16_t* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}

// The first and the second of 16 pairs of bf16.
FOVEA_INLINE Vec load_first(const void* pairs) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16))};
}
FOVEA_INLINE Vec second_of(__m512i words) {
  return {_mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}
FOVEA_INLINE Vec load_second(const void* pairs) { return second_of(_mm512_loadu_si512(pairs)); }
// To the nearest bf16, ties to even; NaN stays NaN.
FOVEA_INLINE Vec round_bf16(Vec a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const Vec rounded = second_of(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))));
  return {_mm512_mask_add_ps(rounded.v, _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), a.v, a.v)};
}
// 16 pairs of numbers that a bf16 can hold.
FOVEA_INLINE void store_pairs(void* out, Vec first, Vec second) {
  const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(first.v), 16);
  _mm512_storeu_si512(out, _mm512_or_si512(low, _mm512_castps_si512(second.v)));
}

FOVEA_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
FOVEA_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
FOVEA_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
FOVEA_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
FOVEA_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }  // b if one is NaN
FOVEA_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }  // b if one is NaN
FOVEA_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
FOVEA_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return {_mm512_or_ps(magnitude.v, _mm512_and_ps(sign.v, _mm512_set1_ps(-0.0f)))};
}
// value, or 0 in the lanes where x < limit.
FOVEA_INLINE Vec zero_where_less(Vec x, Vec limit, Vec value) {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, limit.v, _CMP_NLT_UQ), value.v)};
}
// 2^n, where n is in the low bits of shifted (see exp_constants.h).
FOVEA_INLINE Vec power_of_two(Vec shifted) {
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)))};
}

// 8 doubles.
struct Wide {
  __m512d v;
};
constexpr int kDotTile = 4;  // rows times rows: 16 sums
FOVEA_INLINE Wide zero_wide() { return {_mm512_setzero_pd()}; }
FOVEA_INLINE Wide widen(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
// The first count < 8 floats; the others read as zero.
FOVEA_INLINE Wide widen(const float* p, int64_t count) {
  return {_mm512_cvtps_pd(_mm256_maskz_loadu_ps(static_cast<__mmask8>(first(count)), p))};
}
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
// Folds in halves: lane i + lane i + 4, then + 2, + 1.
FOVEA_INLINE double sum_lanes(Wide a) {
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

FOVEA_INLINE float fold(__m128 a) {
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
// Folds in halves: lane i + lane i + 8, then + 4, + 2, + 1.
FOVEA_INLINE float sum_lanes(Vec a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  return fold(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
}
FOVEA_INLINE float max_lanes(Vec a) { return _mm512_reduce_max_ps(a.v); }

struct Ints {
  __m512i v;
};
FOVEA_INLINE Ints load_ints(const void* p) { return {_mm512_loadu_si512(p)}; }
FOVEA_INLINE void store_ints(void* p, Ints a) { _mm512_storeu_si512(p, a.v); }
FOVEA_INLINE Ints operator+(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
FOVEA_INLINE int32_t sum_lanes(Ints a) { return _mm512_reduce_add_epi32(a.v); }
FOVEA_INLINE Ints round_to_ints(Vec a) { return {_mm512_cvtps_epi32(a.v)}; }  // to the nearest, ties to even
FOVEA_INLINE Vec to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
FOVEA_INLINE void store_bytes(int8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a.v));
}

// 16 rows of 16 floats become 16 columns.
FOVEA_INLINE void transpose(Vec (&rows)[16]) {
  __m512 a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = _mm512_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    a[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  // Within each 128-bit lane: b[4 i + j] holds column j (of that lane) of rows 4 i .. 4 i + 3.
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512d lo0 = _mm512_castps_pd(a[4 * i]), lo1 = _mm512_castps_pd(a[4 * i + 2]);
    const __m512d hi0 = _mm512_castps_pd(a[4 * i + 1]), hi1 = _mm512_castps_pd(a[4 * i + 3]);
    b[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo0, lo1));
    b[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo0, lo1));
    b[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(hi0, hi1));
    b[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(hi0, hi1));
  }
  // A 4 x 4 transpose of 128-bit lanes, for each column j within a lane.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 even_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88),
                 odd_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
    rows[j].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    rows[8 + j].v = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    rows[4 + j].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    rows[12 + j].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
