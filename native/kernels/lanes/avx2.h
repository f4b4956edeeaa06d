// 16 floats in two ymm registers: the vector type that the bodies of ../vector are written against. Included first.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/kernel_table.h"

#define FOVEA_TIER avx2
#define FOVEA_INLINE inline __attribute__((always_inline))

#include "kernels/lanes/x86_flush_subnormals.h"

namespace fovea::avx2 {
namespace {

FOVEA_INLINE float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

struct Vec {
  __m256 lo, hi;
};

// Register plan of gemm: 6 x 1 panels is 12 of the 16 registers; fewer rows take more panels abreast.
constexpr int kTileRows = 6;
constexpr int tile_panels(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

// All bits set in the first count of 8 lanes; count may be below 0 or above 8.
FOVEA_INLINE __m256i first(int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), index);
}

FOVEA_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
FOVEA_INLINE Vec splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
FOVEA_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
FOVEA_INLINE void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
// The first count < 16 lanes; the others read as zero and are not written.
FOVEA_INLINE Vec load(const float* p, int64_t count) {
  return {_mm256_maskload_ps(p, first(count)), _mm256_maskload_ps(p + 8, first(count - 8))};
}
FOVEA_INLINE void store(float* p, Vec a, int64_t count) {
  _mm256_maskstore_ps(p, first(count), a.lo);
  _mm256_maskstore_ps(p + 8, first(count - 8), a.hi);
}
FOVEA_INLINE Vec keep_first(Vec a, int64_t count) {
  return {_mm256_and_ps(a.lo, _mm256_castsi256_ps(first(count))),
          _mm256_and_ps(a.hi, _mm256_castsi256_ps(first(count - 8)))};
}

FOVEA_INLINE __m128i load_halves(const uint16_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
FOVEA_INLINE Vec load_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(load_halves(p)), _mm256_cvtph_ps(load_halves(p + 8))};
}
FOVEA_INLINE __m256 widen_bf16(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
FOVEA_INLINE Vec load_bf16(const uint16_t* p) { return {widen_bf16(load_halves(p)), widen_bf16(load_halves(p + 8))}; }

// The first and the second of 16 pairs of bf16.
FOVEA_INLINE __m256i load_words(const void* p, int half) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p) + half);
}
FOVEA_INLINE __m256 first_of(__m256i words) { return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16)); }
FOVEA_INLINE Vec load_first(const void* pairs) {
  return {first_of(load_words(pairs, 0)), first_of(load_words(pairs, 1))};
}
FOVEA_INLINE __m256 second_of(__m256i words) {
  return _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
}
FOVEA_INLINE Vec load_second(const void* pairs) {
  return {second_of(load_words(pairs, 0)), second_of(load_words(pairs, 1))};
}
// To the nearest bf16, ties to even; NaN stays NaN.
FOVEA_INLINE __m256 round_bf16(__m256 a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  return _mm256_blendv_ps(second_of(up), _mm256_add_ps(a, a), _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
FOVEA_INLINE Vec round_bf16(Vec a) { return {round_bf16(a.lo), round_bf16(a.hi)}; }
// 16 pairs of numbers that a bf16 can hold.
FOVEA_INLINE __m256i pairs_of(__m256 first, __m256 second) {
  return _mm256_or_si256(_mm256_srli_epi32(_mm256_castps_si256(first), 16), _mm256_castps_si256(second));
}
FOVEA_INLINE void store_pairs(void* out, Vec first, Vec second) {
  _mm256_storeu_si256(static_cast<__m256i*>(out), pairs_of(first.lo, second.lo));
  _mm256_storeu_si256(static_cast<__m256i*>(out) + 1, pairs_of(first.hi, second.hi));
}

FOVEA_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
// b if one is NaN, both of them.
FOVEA_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
FOVEA_INLINE Vec abs(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
FOVEA_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(magnitude.lo, _mm256_and_ps(sign.lo, bit)),
          _mm256_or_ps(magnitude.hi, _mm256_and_ps(sign.hi, bit))};
}
// value, or 0 in the lanes where x < limit.
FOVEA_INLINE Vec zero_where_less(Vec x, Vec limit, Vec value) {
  return {_mm256_and_ps(_mm256_cmp_ps(x.lo, limit.lo, _CMP_NLT_UQ), value.lo),
          _mm256_and_ps(_mm256_cmp_ps(x.hi, limit.hi, _CMP_NLT_UQ), value.hi)};
}
// 2^n, where n is in the low bits of shifted (see exp_constants.h).
FOVEA_INLINE __m256 power_of_two(__m256 shifted) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}
FOVEA_INLINE Vec power_of_two(Vec shifted) { return {power_of_two(shifted.lo), power_of_two(shifted.hi)}; }

// 8 doubles.
struct Wide {
  __m256d lo, hi;
};
constexpr int kDotTile = 2;  // rows times rows: 4 sums in 8 of the 16 registers
FOVEA_INLINE Wide zero_wide() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
FOVEA_INLINE Wide widen(__m256 a) {
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1))};
}
FOVEA_INLINE Wide widen(const float* p) {
  return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))};
}
// The first count < 8 floats; the others read as zero.
FOVEA_INLINE Wide widen(const float* p, int64_t count) { return widen(_mm256_maskload_ps(p, first(count))); }
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) {
  return {_mm256_fmadd_pd(a.lo, b.lo, c.lo), _mm256_fmadd_pd(a.hi, b.hi, c.hi)};
}
// Folds in halves: lane i + lane i + 4, then + 2, + 1.
FOVEA_INLINE double sum_lanes(Wide a) {
  const __m256d four = _mm256_add_pd(a.lo, a.hi);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

FOVEA_INLINE __m128 upper(__m256 a) { return _mm256_extractf128_ps(a, 1); }
// Folds in halves: lane i + lane i + 8, then + 4, + 2, + 1.
FOVEA_INLINE float sum_lanes(Vec a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), upper(eight));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
FOVEA_INLINE float max_lanes(Vec a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), upper(eight));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

struct Ints {
  __m256i lo, hi;
};
FOVEA_INLINE Ints load_ints(const void* p) {
  const auto* halves = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
FOVEA_INLINE void store_ints(void* p, Ints a) {
  auto* halves = static_cast<__m256i*>(p);
  _mm256_storeu_si256(halves, a.lo);
  _mm256_storeu_si256(halves + 1, a.hi);
}
FOVEA_INLINE Ints operator+(Ints a, Ints b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
FOVEA_INLINE int32_t sum_lanes(Ints a) {
  const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_srli_epi64(four, 32)));
}
FOVEA_INLINE Ints round_to_ints(Vec a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }  // ties to even
FOVEA_INLINE Vec to_floats(Ints a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
FOVEA_INLINE __m128i narrow(__m256i a) {
  return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
FOVEA_INLINE void store_bytes(int8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(narrow(a.lo), narrow(a.hi)));
}

// 8 rows of 8 floats become 8 columns.
FOVEA_INLINE void transpose8(__m256 (&r)[8]) {
  __m256 a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  // Within each 128-bit lane: b[4 i + j] holds column j (of that lane) of rows 4 i .. 4 i + 3.
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
    b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
    b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
    b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm256_permute2f128_ps(b[j], b[4 + j], 0x20);
    r[4 + j] = _mm256_permute2f128_ps(b[j], b[4 + j], 0x31);
  }
}

// 16 rows of 16 floats become 16 columns: the four quarters, the off-diagonal two exchanged.
FOVEA_INLINE void transpose(Vec (&rows)[16]) {
  __m256 quarter[4][8];
  for (int i = 0; i < 8; ++i) {
    quarter[0][i] = rows[i].lo;
    quarter[1][i] = rows[8 + i].lo;
    quarter[2][i] = rows[i].hi;
    quarter[3][i] = rows[8 + i].hi;
  }
  for (auto& part : quarter) transpose8(part);
  for (int i = 0; i < 8; ++i) {
    rows[i] = {quarter[0][i], quarter[1][i]};
    rows[8 + i] = {quarter[2][i], quarter[3][i]};
  }
}

}  // namespace
}  // namespace fovea::avx2
