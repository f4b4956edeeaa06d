// Products of 8-bit rows: every tier against the scalar one bit for bit, and the ops against double precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "kernels/select.h"
#include "ops/ops.h"
#include "test/backends.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

using Rounded = std::pair<float, std::vector<int32_t>>;  // scale; bytes, then sums

Rounded round_row(const KernelTable& kernels, const std::vector<float>& x) {
  const auto k = static_cast<int64_t>(x.size()), groups = (k + kGroup - 1) / kGroup;
  std::vector<int8_t> bytes(static_cast<size_t>(groups * kGroup), 77);
  std::vector<int32_t> sums(static_cast<size_t>(groups), 77);
  const float scale = kernels.quantise_row(x.data(), k, bytes.data(), sums.data());
  std::vector<int32_t> all(bytes.begin(), bytes.end());
  all.insert(all.end(), sums.begin(), sums.end());
  return {scale, all};
}

// What a product of bytes is made of, at random; extremes among them.
struct ByteCase {
  int64_t m, n, words, stride;
  bool nibbles, bias;
  GemmMode mode;
  std::vector<int8_t> x;
  std::vector<int32_t> sums;
  std::vector<uint8_t> panels;
  std::vector<float> x_scales, w_scales;

  ByteCase(int64_t m, int64_t n, int64_t words, bool nibbles, bool bias = true, GemmMode mode = GemmMode::kStore)
      : m(m), n(n), words(words), stride(words + 3), nibbles(nibbles), bias(bias), mode(mode) {
    Random random(static_cast<uint64_t>(m * 1000 + n * 10 + words));
    const auto byte = [&] { return static_cast<int8_t>(std::clamp(random.uniform() * 140.0f, -127.0f, 127.0f)); };
    const int64_t groups = (words + kGroupWords - 1) / kGroupWords, n_panels = (n + kPanel - 1) / kPanel;
    x.assign(static_cast<size_t>(m * stride * kWordBytes), 0);
    sums.assign(static_cast<size_t>(m * groups), 0);
    for (int64_t row = 0; row < m; ++row)
      for (int64_t i = 0; i < words * kWordBytes; ++i) {
        const int8_t value = byte();
        x[static_cast<size_t>(row * stride * kWordBytes + i)] = value;
        sums[static_cast<size_t>(row * groups + i / kGroup)] += value;
      }
    panels.resize(static_cast<size_t>(n_panels * panel_stride()));
    for (uint8_t& value : panels) value = static_cast<uint8_t>(nibbles ? static_cast<int8_t>(random.next()) : byte());
    if (nibbles)  // any bits are nibbles, but not a scale
      for (int64_t group = 0; group < n_panels * groups; ++group) {
        auto* scales = reinterpret_cast<uint16_t*>(panels.data() + (group + 1) * kInt4GroupBytes) - 2 * kPanel;
        for (int64_t i = 0; i < 2 * kPanel; ++i) scales[i] = f32_to_f16(random.uniform());
      }
    for (int64_t row = 0; row < m; ++row) x_scales.push_back(random.uniform());
    for (int64_t column = 0; column < n; ++column) w_scales.push_back(random.uniform());
  }

  int64_t panel_stride() const { return nibbles ? words / kGroupWords * kInt4GroupBytes : words * kPanel * kWordBytes; }

  Guarded run(const KernelTable& kernels) const {
    Guarded out(m, n, 2, 1), shift(1, n, 3);
    std::vector<float> scratch(kGemmScratch, NAN);
    GemmTask task{x.data(),       stride,       m,    panels.data(),
                  panel_stride(), words,        n,    bias ? shift.data() : nullptr,
                  out.data(),     out.stride(), mode, scratch.data()};
    task.x_scales = x_scales.data();
    task.x_sums = sums.data();
    task.x_sums_stride = (words + kGroupWords - 1) / kGroupWords;
    task.w_scales = w_scales.data();
    (nibbles ? kernels.gemm_int4 : kernels.gemm_int8)(task);
    CHECK(out.intact());
    return out;
  }
};

void compare(const ByteCase& c) {
  const Guarded truth = c.run(select_kernels("scalar"));
  for (const std::string& tier : available_tiers())
    if (!c.run(select_kernels(tier)).same(truth))
      fail(__FILE__, __LINE__,
           tier + (c.nibbles ? " int4" : " int8") + " m " + std::to_string(c.m) + " n " + std::to_string(c.n) +
               " words " + std::to_string(c.words));
}

// |out - truth| / |truth| of x w^T with w held as dtype.
double relative_error(Ops& ops, DType dtype, int64_t m, int64_t n, int64_t k) {
  Guarded x(m, k, 1, 3), w(n, k, 2, 1), bias(1, n, 3), out(m, n, 4, 5);
  const Tensor part = w.tensor();
  const auto packed = ops.pack({&part, 1}, dtype);
  ops.linear(x.tensor(), *packed, bias.vector(), out.tensor());
  CHECK(out.intact());
  double error = 0, size = 0;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double truth = 0;
      for (int64_t c = 0; c < k; ++c) truth += double{x.at(i, c)} * w.at(j, c);
      const double difference = out.at(i, j) - bias.at(0, j) - truth;
      error += difference * difference;
      size += truth * truth;
    }
  // A row gives the same bits alone.
  Guarded alone(1, n, 5);
  ops.linear(x.tensor().slice(m - 1, 1), *packed, bias.vector(), alone.tensor());
  CHECK(same_bits(&alone.at(0, 0), &out.at(m - 1, 0), n));
  return std::sqrt(error / size);
}

}  // namespace

TEST("quantise_row: tails, ties, zeros, extremes and what is not finite") {
  std::vector<std::vector<float>> rows = {
      {0, 0, 0}, {-0.0f}, {1e-38f, 2e-38f}, {3e38f, -3e38f, 1}, {127, 0.5f, 1.5f, -2.5f}};
  for (const int64_t k : {1, 15, 16, 17, 63, 64, 65, 200}) {
    const Guarded x(1, k, static_cast<uint64_t>(k));
    rows.emplace_back(x.data(), x.data() + k);
  }
  for (const std::string& tier : available_tiers())
    for (const auto& row : rows) {
      const Rounded truth = round_row(select_kernels("scalar"), row), got = round_row(select_kernels(tier), row);
      CHECK(same_bits(&got.first, &truth.first, 1));
      CHECK(got.second == truth.second);
    }
  CHECK_EQ(round_row(select_kernels("scalar"), rows[4]).first, 1.0f);
  const auto ties = round_row(select_kernels("scalar"), rows[4]).second;
  CHECK(ties[0] == 127 && ties[1] == 0 && ties[2] == 2 && ties[3] == -2 && ties[4] == 0 && ties.back() == 127);
  for (const std::string& tier : available_tiers())
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> row(40, 1.0f);
      row[37] = bad;
      CHECK(std::isnan(round_row(select_kernels(tier), row).first));
    }
}

TEST("gemm of bytes: every height, tails, several passes") {
  for (int64_t m = 1; m <= 34; ++m)
    for (const int64_t n : {1, 16, 33, 70})
      for (const int64_t words : {7, 32, 39}) compare({m, n, words, false});
  for (int64_t m = 1; m <= 34; ++m)
    for (const int64_t n : {1, 16, 33, 70}) compare({m, n, 2 * kGroupWords, true, false});
  for (const bool nibbles : {false, true})
    for (const GemmMode mode : {GemmMode::kStore, GemmMode::kAdd}) {
      compare({1, 100, 80 * kGroupWords, nibbles, true, mode});
      compare({14, 23, 33 * kGroupWords, nibbles, true, mode});
      compare({65, kGemmColumns, kGroupWords, nibbles, false, mode});
      compare({kGemmRows - 13, kGemmColumns - 7, 34 * kGroupWords, nibbles, true, mode});
    }
}

TEST("gemm of bytes, scalar: a product by hand") {
  ByteCase c(1, 1, 1, false, false);
  c.x = {1, -2, 3, 127};
  c.panels.assign(64, 0);
  for (const auto& [i, w] : {std::pair{0, 5}, {1, 7}, {2, -11}, {3, 127}})
    c.panels[static_cast<size_t>(i)] = static_cast<uint8_t>(w);
  c.x_scales = {0.5f};
  c.w_scales = {0.25f};
  CHECK_EQ(c.run(select_kernels("scalar")).at(0, 0), (5 - 14 - 33 + 127 * 127) * 0.125f);
  ByteCase d(1, 1, kGroupWords, true, false);
  d.x.assign(64, 0);
  d.x[3] = 2;   // word 0, low nibble of byte 3
  d.x[5] = -3;  // word 1, high nibble of byte 1
  d.sums = {-1};
  d.panels.assign(kInt4GroupBytes, 0);
  d.panels[3] = 9;
  d.panels[1] = 15 << 4;
  auto* scales = reinterpret_cast<uint16_t*>(d.panels.data() + kGroup * kPanel / 2);
  scales[0] = f32_to_f16(2.0f);
  scales[kPanel] = f32_to_f16(0.5f);
  d.x_scales = {10.0f};
  CHECK_EQ(d.run(select_kernels("scalar")).at(0, 0), (2.0f * (18 - 45) - 0.5f) * 10);
}

TEST("linear of int8 and int4: near double precision, rows alone as together") {
  each_backend([](Ops& ops) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 588}, {17, 5, 40}, {65, 300, 64}, {200, 17, 700}}) {
      CHECK(relative_error(ops, DType::kInt8, m, n, k) < 0.01);
      CHECK(relative_error(ops, DType::kInt4, m, n, k) < 0.1);
    }
  });
}

TEST("linear of int8: a row that is not finite makes its outputs NaN, and no others") {
  each_backend([](Ops& ops) {
    Guarded x(3, 70, 1), w(20, 70, 2), out(3, 20, 3);
    x.at(1, 69) = std::numeric_limits<float>::infinity();
    const Tensor part = w.tensor();
    ops.linear(x.tensor(), *ops.pack({&part, 1}, DType::kInt8), {}, out.tensor());
    for (int64_t j = 0; j < 20; ++j)
      CHECK(std::isfinite(out.at(0, j)) && std::isnan(out.at(1, j)) && std::isfinite(out.at(2, j)));
  });
}

TEST("pack as int8 and int4 refuses what is not finite, too large or too wide") {
  each_backend([](Ops& ops) {
    Guarded w(2, 70, 2);
    const Tensor part = w.tensor();
    w.at(1, 3) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS(ErrorCode::kNumeric, ops.pack({&part, 1}, DType::kInt8));
    CHECK_THROWS(ErrorCode::kNumeric, ops.pack({&part, 1}, DType::kInt4));
    w.at(1, 3) = 1e6f;
    CHECK_THROWS(ErrorCode::kNumeric, ops.pack({&part, 1}, DType::kInt4));
    Guarded wide(1, (int64_t{1} << 16) + 1, 3);
    const Tensor wide_part = wide.tensor();
    CHECK_THROWS(ErrorCode::kModelUnsupported, ops.pack({&wide_part, 1}, DType::kInt8));
  });
}

}  // namespace fovea::test
