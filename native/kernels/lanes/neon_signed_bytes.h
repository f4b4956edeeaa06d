// Bytes times bytes on NEON, for ../vector/gemm_int8_body.h. Tiers differ in add_four, which is declared before:
// four sums, each with the four products of its 32-bit lane added.
#pragma once

namespace fovea::FOVEA_TIER {
namespace {

constexpr bool kOffsetWeights = false;

constexpr int kInt8Rows = 4;
constexpr int int8_panels(int rows) { return rows <= 2 ? 2 : 1; }
constexpr int kInt4Rows = 2;
constexpr int int4_panels(int /*rows*/) { return 1; }

struct SignedWeights {
  int8x16_t q[4];
};
FOVEA_INLINE SignedWeights load_signed(const int8_t* w) {
  return {{vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(w + 32), vld1q_s8(w + 48)}};
}
FOVEA_INLINE Ints add_products(Ints sum, SignedWeights w, int32_t x) {
  const int8x16_t bytes = vreinterpretq_s8_s32(vdupq_n_s32(x));
  return {{add_four(sum.q[0], w.q[0], bytes), add_four(sum.q[1], w.q[1], bytes), add_four(sum.q[2], w.q[2], bytes),
           add_four(sum.q[3], w.q[3], bytes)}};
}
FOVEA_INLINE Ints without_offset(Ints sum, int32_t /*x_sum*/) { return sum; }

// Nibbles are signed bytes, too, of which none is negative.
struct NibblePair {
  SignedWeights low, high;
};
FOVEA_INLINE int8x16_t low_nibbles(int8x16_t bytes) { return vandq_s8(bytes, vdupq_n_s8(15)); }
FOVEA_INLINE int8x16_t high_nibbles(int8x16_t bytes) {
  return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(bytes), 4));
}
FOVEA_INLINE NibblePair load_nibbles(const void* w) {
  const SignedWeights both = load_signed(static_cast<const int8_t*>(w));
  return {{{low_nibbles(both.q[0]), low_nibbles(both.q[1]), low_nibbles(both.q[2]), low_nibbles(both.q[3])}},
          {{high_nibbles(both.q[0]), high_nibbles(both.q[1]), high_nibbles(both.q[2]), high_nibbles(both.q[3])}}};
}
FOVEA_INLINE Ints add_unsigned_products(Ints sum, SignedWeights w, int32_t x) { return add_products(sum, w, x); }

}  // namespace
}  // namespace fovea::FOVEA_TIER
