// The scale of a row of bytes. A header for files of any tier: no function here may be shared between them.
#pragma once

namespace fovea {
namespace {

constexpr float kLargestByte = 127.0f;

struct QuantisedScale {
  float scale;    // of one step
  float inverse;  // steps per unit

  // poison: NaN if the row holds a number that is not finite; then so is the scale. A row without a number that is
  // worth a step becomes zeros.
  inline __attribute__((always_inline)) QuantisedScale(float largest, float poison) {
    constexpr float kSmallest = 1e-30f;
    const bool some = largest > kSmallest;
    scale = (some ? largest / kLargestByte : 0.0f) + poison;
    inverse = some ? kLargestByte / largest : 0.0f;
  }
};

}  // namespace
}  // namespace fovea
