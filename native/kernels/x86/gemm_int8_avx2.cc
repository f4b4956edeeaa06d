#include "kernels/lanes/avx2.h"

namespace fovea::avx2 {
namespace {

constexpr bool kOffsetWeights = false;

constexpr int kInt8Rows = 4;
constexpr int int8_panels(int rows) { return rows == 1 ? 2 : 1; }
constexpr int kInt4Rows = 2;
constexpr int int4_panels(int /*rows*/) { return 1; }

// Bytes are multiplied as |w| times x with the sign of w: of two such products no sum leaves 16 bits.
struct SignedWeights {
  __m256i lo, hi;
};
FOVEA_INLINE SignedWeights load_signed(const int8_t* w) {
  const auto* halves = reinterpret_cast<const __m256i*>(w);
  return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
// sum + the four products of unsigned w by signed x of each lane
FOVEA_INLINE __m256i add_four(__m256i sum, __m256i w, __m256i x) {
  const __m256i pairs = _mm256_maddubs_epi16(w, x);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
FOVEA_INLINE Ints add_products(Ints sum, SignedWeights w, int32_t x) {
  const __m256i bytes = _mm256_set1_epi32(x);
  return {add_four(sum.lo, _mm256_abs_epi8(w.lo), _mm256_sign_epi8(bytes, w.lo)),
          add_four(sum.hi, _mm256_abs_epi8(w.hi), _mm256_sign_epi8(bytes, w.hi))};
}
FOVEA_INLINE Ints without_offset(Ints sum, int32_t /*x_sum*/) { return sum; }

struct NibblePair {
  Ints low, high;
};
FOVEA_INLINE NibblePair load_nibbles(const void* w) {
  const Ints bytes = load_ints(w);
  const __m256i mask = _mm256_set1_epi8(0x0f);
  return {
      {_mm256_and_si256(bytes.lo, mask), _mm256_and_si256(bytes.hi, mask)},
      {_mm256_and_si256(_mm256_srli_epi16(bytes.lo, 4), mask), _mm256_and_si256(_mm256_srli_epi16(bytes.hi, 4), mask)}};
}
FOVEA_INLINE Ints add_unsigned_products(Ints sum, Ints w, int32_t x) {
  const __m256i bytes = _mm256_set1_epi32(x);
  return {add_four(sum.lo, w.lo, bytes), add_four(sum.hi, w.hi, bytes)};
}

}  // namespace
}  // namespace fovea::avx2

#include "kernels/vector/gemm_int8_body.h"
