// The tier of ARM CPUs with dot products of bytes (FEAT_DotProd): the products of 8-bit rows, all else is the neon
// tier's.
#define FOVEA_TIER neondot
#include "kernels/lanes/neon.h"

namespace fovea::neondot {
namespace {

FOVEA_INLINE int32x4_t add_four(int32x4_t sum, int8x16_t w, int8x16_t x) { return vdotq_s32(sum, w, x); }

}  // namespace
}  // namespace fovea::neondot

#include "kernels/lanes/neon_signed_bytes.h"
#include "kernels/vector/gemm_int8_body.h"

namespace fovea::neondot {

void fill(KernelTable& table) {
  table.tier = "neondot";
  fill_gemm_int8(table);
}

}  // namespace fovea::neondot
