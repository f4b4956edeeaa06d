// The tier of AVX-512 CPUs that multiply bf16: the products of bf16 rows and what makes such, all else is the tiers'
// before it.
#define FOVEA_TIER avx512bf16
#include "kernels/lanes/avx512.h"

namespace fovea::avx512bf16 {
namespace {

FOVEA_INLINE Vec add_pairs(Vec sum, Vec weights, Vec pair) {
  return {_mm512_dpbf16_ps(sum.v, (__m512bh)pair.v, (__m512bh)weights.v)};
}
FOVEA_INLINE Vec to_pairs(Vec low, Vec high) { return {(__m512)_mm512_cvtne2ps_pbh(high.v, low.v)}; }

}  // namespace
}  // namespace fovea::avx512bf16

#include "kernels/vector/bf16_pairs_body.h"

namespace fovea::avx512bf16 {

void fill(KernelTable& table) {
  table.tier = "avx512bf16";
  fill_bf16_pairs(table);
}

}  // namespace fovea::avx512bf16
