// Products of bf16 rows: every tier against the scalar one bit for bit, the scalar one by hand, and the ops against
// the exact sum of rounded numbers.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/half.h"
#include "kernels/reference/fill.h"
#include "kernels/select.h"
#include "ops/ops.h"
#include "test/backends.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

constexpr float kLeast = std::numeric_limits<float>::min();  // normal

struct PairCase {
  int64_t m, n, k;
  bool bias = true;
  GemmMode mode = GemmMode::kStore;
  float size = 1;  // of the weights
};

// bf16(x) times random weights, with the kernels of one tier.
Guarded multiply(const KernelTable& kernels, const PairCase& c) {
  const int64_t depth = c.k + c.k % 2, stride = depth + 3, n_panels = (c.n + kPanel - 1) / kPanel;
  const Guarded x(c.m, c.k, 1);
  std::vector<float> rows(static_cast<size_t>(c.m * stride), NAN);
  for (int64_t row = 0; row < c.m; ++row)
    kernels.round_bf16(x.data() + row * x.stride(), c.k, rows.data() + row * stride);
  Random random(7);
  std::vector<uint16_t> panels(static_cast<size_t>(n_panels * depth * kPanel));
  for (uint16_t& weight : panels) weight = f32_to_bf16(random.uniform() * c.size);
  Guarded out(c.m, c.n, 2, 1);
  const Guarded bias(1, c.n, 3);
  std::vector<float> scratch(kGemmScratch, NAN);
  kernels.gemm_bf16({rows.data(), stride, c.m, panels.data(), depth * kPanel * 2, depth, c.n,
                     c.bias ? bias.data() : nullptr, out.data(), out.stride(), c.mode, scratch.data()});
  CHECK(out.intact());
  return out;
}

void compare(const PairCase& c) {
  KernelTable scalar = select_kernels("scalar");
  const Guarded truth = multiply(scalar, c);
  scalar.gemm_bf16 = reference::gemm_bf16_on_tiles;
  const Guarded on_tiles = multiply(scalar, c);
  for (const std::string& tier : available_tiers())
    if (!multiply(select_kernels(tier), c).same(tier == "amx" ? on_tiles : truth))
      fail(__FILE__, __LINE__,
           tier + " m " + std::to_string(c.m) + " n " + std::to_string(c.n) + " k " + std::to_string(c.k));
}

// One row times one column.
float dot(const KernelTable& kernels, const std::vector<float>& x, const std::vector<float>& w) {
  const auto k = static_cast<int64_t>(x.size()), depth = k + k % 2;
  std::vector<float> row(static_cast<size_t>(depth), NAN), scratch(kGemmScratch);
  std::copy(x.begin(), x.end(), row.begin());
  kernels.round_bf16(row.data(), k, row.data());
  std::vector<float> weights(static_cast<size_t>(k * kPanel), NAN);
  for (size_t i = 0; i < w.size(); ++i) weights[i * kPanel] = w[i];
  std::vector<uint16_t> panel(static_cast<size_t>(depth * kPanel), 0x7fff);
  kernels.pair_bf16(weights.data(), k, panel.data());
  float out = 77;
  kernels.gemm_bf16({row.data(), depth, 1, panel.data(), depth * kPanel * 2, depth, 1, nullptr, &out, 1,
                     GemmMode::kStore, scratch.data()});
  return out;
}

}  // namespace

TEST("gemm of bf16: every height, tails, odd k, several passes, results below the least normal float") {
  for (int64_t m = 1; m <= 34; ++m)
    for (const int64_t n : {1, 15, 16, 33, 70})
      for (const int64_t k : {19, 64, 75}) compare({m, n, k});
  for (const GemmMode mode : {GemmMode::kStore, GemmMode::kAdd, GemmMode::kResume}) {
    compare({5, 40, 1, true, mode});
    compare({1, 100, 2100, false, mode});
    compare({14, 23, 1025, true, mode});
    compare({65, kGemmColumns, 32, true, mode});
    compare({kGemmRows - 13, kGemmColumns - 7, 1090, true, mode});
  }
  compare({3, 20, 40, false, GemmMode::kStore, 4 * kLeast});
}

TEST("gemm of bf16: rounding, order of a pair, zeros and what is not finite") {
  for (const std::string& tier : available_tiers()) {
    const KernelTable kernels = select_kernels(tier);
    CHECK_EQ(dot(kernels, {1, 2, 3}, {1, 10, 100}), 321.0f);
    CHECK_EQ(dot(kernels, {0x1.01p0f}, {1}), 1.0f);       // a tie goes to the even one
    CHECK_EQ(dot(kernels, {0x1.03p0f}, {1}), 0x1.04p0f);  // and so up
    CHECK_EQ(dot(kernels, {0x1.010002p0f}, {1}), 0x1.02p0f);
    CHECK_EQ(dot(kernels, {0, 1, 0x1p-24f, -1}, {1, 1, 1, 1}), 0x1p-24f);  // the second of a pair goes first
    CHECK_EQ(dot(kernels, {kLeast / 2}, {1e30f}), 0.0f);
    CHECK_EQ(dot(kernels, {kLeast}, {0.5f}), 0.0f);
    CHECK_EQ(dot(kernels, {kLeast}, {1}), kLeast);
    CHECK(std::isnan(dot(kernels, {1, NAN}, {1, 1})));
    const float fullest_nan = float_of_bits(0x7fffffffu);
    CHECK(std::isnan(dot(kernels, {fullest_nan}, {1})));
    CHECK_EQ(dot(kernels, {std::numeric_limits<float>::max()}, {1}), std::numeric_limits<float>::infinity());
  }
}

TEST("linear of bf16: the sum of rounded numbers, a row alone as with others, whatever the threads") {
  each_backend([](Ops& ops) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 589}, {17, 5, 1}, {65, 300, 40}, {200, 17, 700}}) {
      Guarded x(m, k, 1, 3), w(n, k, 2, 1), bias(1, n, 3), out(m, n, 4, 5), alone(1, n, 5);
      const Tensor part = w.tensor();
      const auto packed = ops.pack({&part, 1}, DType::kBF16);
      ops.linear(x.tensor(), *packed, bias.vector(), out.tensor());
      CHECK(out.intact());
      const auto rounded = [](float value) { return double{bf16_to_f32(f32_to_bf16(value))}; };
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double truth = bias.at(0, j);
          for (int64_t c = 0; c < k; ++c) truth += rounded(x.at(i, c)) * rounded(w.at(j, c));
          CHECK_NEAR(out.at(i, j), truth, 2e-4);
        }
      ops.linear(x.tensor().slice(m - 1, 1), *packed, bias.vector(), alone.tensor());
      CHECK(same_bits(&alone.at(0, 0), &out.at(m - 1, 0), n));
    }
  });
}

}  // namespace fovea::test
