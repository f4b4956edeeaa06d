// The tier of ARM CPUs that multiply bf16 (FEAT_BF16): the products of bf16 rows and what makes such, all else is the
// tiers' before it.
#define FOVEA_TIER neonbf16
#include "kernels/lanes/neon.h"

namespace fovea::neonbf16 {
namespace {

FOVEA_INLINE Vec add_pairs(Vec sum, Vec weights, Vec pair) {
  const bfloat16x8_t x = vreinterpretq_bf16_f32(pair.q[0]);
  return each(sum, weights, [x](float32x4_t chain, float32x4_t words) {
    const bfloat16x8_t w = vreinterpretq_bf16_f32(words);
    return vbfmlalbq_f32(vbfmlaltq_f32(chain, w, x), w, x);
  });
}
FOVEA_INLINE float32x4_t to_pairs(float32x4_t low, float32x4_t high) {
  return vreinterpretq_f32_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high));
}
FOVEA_INLINE Vec to_pairs(Vec low, Vec high) {
  return {{to_pairs(low.q[0], low.q[1]), to_pairs(low.q[2], low.q[3]), to_pairs(high.q[0], high.q[1]),
           to_pairs(high.q[2], high.q[3])}};
}

}  // namespace
}  // namespace fovea::neonbf16

#include "kernels/vector/bf16_pairs_body.h"

namespace fovea::neonbf16 {

void fill(KernelTable& table) {
  table.tier = "neonbf16";
  fill_bf16_pairs(table);
}

}  // namespace fovea::neonbf16
