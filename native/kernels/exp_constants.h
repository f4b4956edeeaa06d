// e^x = 2^n * e^r with n = round(x / ln 2) and |r| <= ln 2 / 2; e^r = 1 + r + r^2 * P(r). P interpolates at the
// Chebyshev nodes; the whole is within 2e-7 of e^x, relatively. All tiers evaluate it in the same order.
#pragma once

namespace fovea {

constexpr float kExpLargest = 88.0f;    // above, e^88 is returned: finite, and all that 1 / (1 + e^x) needs
constexpr float kExpSmallest = -87.0f;  // below, 0 is returned
constexpr float kLog2E = 1.44269504f;
// Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits of the sum.
constexpr float kRoundMagic = 12582912.0f;
constexpr float kLn2High = 0.693359375f;  // few bits, so that n * kLn2High is exact
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kExpP0 = 5.000000000e-01f;
constexpr float kExpP1 = 1.666657627e-01f;
constexpr float kExpP2 = 4.166655615e-02f;
constexpr float kExpP3 = 8.363203146e-03f;
constexpr float kExpP4 = 1.392621314e-03f;

}  // namespace fovea
