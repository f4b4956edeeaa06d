// e^x, as ../exp_constants.h describes; the operations of reference/exp.h. NaN stays NaN.
#pragma once

#include "kernels/exp_constants.h"

namespace fovea::FOVEA_TIER {
namespace {

FOVEA_INLINE Vec exp(Vec x) {
  const Vec clamped = min(splat(kExpLargest), x);
  const Vec shifted = fma(clamped, splat(kLog2E), splat(kRoundMagic));
  const Vec n = shifted - splat(kRoundMagic);
  const Vec r = fma(n, splat(-kLn2Low), fma(n, splat(-kLn2High), clamped));
  Vec p = fma(splat(kExpP4), r, splat(kExpP3));
  p = fma(p, r, splat(kExpP2));
  p = fma(p, r, splat(kExpP1));
  p = fma(p, r, splat(kExpP0));
  const Vec e_r = fma(p, r * r, r) + splat(1.0f);
  return zero_where_less(x, splat(kExpSmallest), e_r * power_of_two(shifted));
}

// About 2^x, for x <= 0.
FOVEA_INLINE Vec short_exp2(Vec x) {
  const Vec shifted = x + splat(kRoundMagic), r = x - (shifted - splat(kRoundMagic));
  const Vec p = fma(fma(fma(splat(kExp2P3), r, splat(kExp2P2)), r, splat(kExp2P1)), r, splat(kExp2P0));
  return zero_where_less(x, splat(kExp2Smallest), p * power_of_two(shifted));
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
