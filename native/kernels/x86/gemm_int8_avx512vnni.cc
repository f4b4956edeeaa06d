// The tier of AVX-512 CPUs that multiply bytes (VNNI): the products of 8-bit rows, all else is the avx512 tier's.
#define FOVEA_TIER avx512vnni
#include "kernels/lanes/avx512.h"

namespace fovea::avx512vnni {
namespace {

// vpdpbusd multiplies unsigned by signed bytes. So signed weights get an offset of 128, and 128 times the sum of the
// row's bytes is taken off at the end.
constexpr bool kOffsetWeights = true;

constexpr int kInt8Rows = 12;
constexpr int int8_panels(int rows) { return rows <= 6 ? 4 : 2; }
constexpr int kInt4Rows = 6;
constexpr int int4_panels(int rows) { return rows <= 2 ? 4 : 2; }

struct SignedWeights {
  __m512i with_offset;
};
FOVEA_INLINE SignedWeights load_signed(const int8_t* w) {
  return {_mm512_xor_si512(_mm512_loadu_si512(w), _mm512_set1_epi32(static_cast<int>(0x80808080u)))};
}
FOVEA_INLINE Ints add_products(Ints sum, SignedWeights w, int32_t x) {
  return {_mm512_dpbusd_epi32(sum.v, w.with_offset, _mm512_set1_epi32(x))};
}
FOVEA_INLINE Ints without_offset(Ints sum, int32_t x_sum) {
  return {_mm512_sub_epi32(sum.v, _mm512_set1_epi32(128 * x_sum))};
}

struct NibblePair {
  __m512i low, high;
};
FOVEA_INLINE NibblePair load_nibbles(const void* w) {
  const __m512i bytes = _mm512_loadu_si512(w), mask = _mm512_set1_epi8(0x0f);
  return {_mm512_and_si512(bytes, mask), _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask)};
}
FOVEA_INLINE Ints add_unsigned_products(Ints sum, __m512i w, int32_t x) {
  return {_mm512_dpbusd_epi32(sum.v, w, _mm512_set1_epi32(x))};
}

}  // namespace
}  // namespace fovea::avx512vnni

#include "kernels/vector/gemm_int8_body.h"

namespace fovea::avx512vnni {

void fill(KernelTable& table) {
  table.tier = "avx512vnni";
  fill_gemm_int8(table);
}

}  // namespace fovea::avx512vnni
