#include "kernels/lanes/neon.h"

namespace fovea::neon {
namespace {

FOVEA_INLINE int32x4_t add_four(int32x4_t sum, int8x16_t w, int8x16_t x) {
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

}  // namespace
}  // namespace fovea::neon

#include "kernels/lanes/neon_signed_bytes.h"
#include "kernels/vector/gemm_int8_body.h"
