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

// 2^x = 2^n * 2^r with n = round(x), |r| <= 1/2, and 2^r a polynomial with the least largest relative error, 7.5e-5:
// enough for what is rounded to bf16, whose own is 2e-3.
constexpr float kExp2Smallest = -126.0f;  // below, 0 is returned
constexpr float kExp2P0 = 0.99992806f;
constexpr float kExp2P1 = 0.69326097f;
constexpr float kExp2P2 = 0.24261113f;
constexpr float kExp2P3 = 0.05517167f;

}  // namespace fovea
