// e^x of one number, as ../exp_constants.h describes. NaN stays NaN.
#pragma once

#include <cmath>

#include "base/half.h"
#include "kernels/exp_constants.h"

namespace fovea::reference {

static inline float exp_f32(float x) {
  const float clamped = x > kExpLargest ? kExpLargest : x;
  const float shifted = std::fma(clamped, kLog2E, kRoundMagic);
  const float n = shifted - kRoundMagic;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, clamped));
  float p = std::fma(kExpP4, r, kExpP3);
  p = std::fma(p, r, kExpP2);
  p = std::fma(p, r, kExpP1);
  p = std::fma(p, r, kExpP0);
  const float e_r = std::fma(p, r * r, r) + 1.0f;
  const float two_n = float_of_bits((bits_of_float(shifted) << 23) + 0x3f800000u);
  return x < kExpSmallest ? 0.0f : e_r * two_n;
}

// About 2^x, for x <= 0.
static inline float short_exp2(float x) {
  const float shifted = x + kRoundMagic, r = x - (shifted - kRoundMagic);
  const float p = std::fma(std::fma(std::fma(kExp2P3, r, kExp2P2), r, kExp2P1), r, kExp2P0);
  const float two_n = float_of_bits((bits_of_float(shifted) << 23) + 0x3f800000u);
  return x < kExp2Smallest ? 0.0f : p * two_n;
}

}  // namespace fovea::reference
