// Every kernel of every tier this machine has against the scalar one: bit for bit, but for the erf of GELU.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/half.h"
#include "kernels/reference/exp.h"
#include "kernels/select.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

const KernelTable& scalar() {
  static const KernelTable table = select_kernels("scalar");
  return table;
}

// Calls body(kernels) for every tier above scalar.
template <typename F>
void each_tier(F&& body) {
  const auto tiers = available_tiers();
  if (tiers.size() < 2) throw Skip{"only the scalar tier is available"};
  for (size_t i = 1; i < tiers.size(); ++i) body(select_kernels(tiers[i]));
}

constexpr int64_t kWidths[] = {1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 80, 300, 588};

// Panels [ceil(n / 16)][k][16] of random weights, in the type's own bits.
struct Weights {
  std::vector<float> f32;
  std::vector<uint16_t> f16;
  Weights(int64_t n, int64_t k) {
    Random random(7);
    f32.assign(static_cast<size_t>((n + 15) / 16 * k * 16), 0.0f);
    for (int64_t column = 0; column < n; ++column)
      for (int64_t i = 0; i < k; ++i)
        f32[static_cast<size_t>((column / 16 * k + i) * 16 + column % 16)] = random.uniform();
    for (const float x : f32) f16.push_back(f32_to_f16(x));
  }
};

struct GemmCase {
  int64_t m, n, k, gap;
  GemmMode mode;
  bool bias;
};

// Runs one product with the entry `gemm` of a table; panels of numbers of `size` bytes.
Guarded multiply(void (*gemm)(const GemmTask&), const void* panels, int64_t size, const GemmCase& c) {
  Guarded x(c.m, c.k, 1, c.gap), out(c.m, c.n, 2, c.gap), bias(1, c.n, 3);
  std::vector<float> scratch(kGemmScratch, NAN);
  gemm({x.data(), x.stride(), c.m, panels, c.k * 16 * size, c.k, c.n, c.bias ? bias.data() : nullptr, out.data(),
        out.stride(), c.mode, scratch.data()});
  CHECK(out.intact());
  return out;
}

void compare_gemm(const KernelTable& tier, const GemmCase& c) {
  const Weights w(c.n, c.k);
  const bool same = multiply(tier.gemm_f32, w.f32.data(), 4, c).same(multiply(scalar().gemm_f32, w.f32.data(), 4, c)) &&
                    multiply(tier.gemm_f16, w.f16.data(), 2, c).same(multiply(scalar().gemm_f16, w.f16.data(), 2, c));
  if (!same)
    fail(__FILE__, __LINE__,
         std::string(tier.tier) + " gemm m " + shown(c.m) + " n " + shown(c.n) + " k " + shown(c.k) + " mode " +
             shown(static_cast<int>(c.mode)));
}

}  // namespace

TEST("gemm: every height of a tile and every tail") {
  each_tier([](const KernelTable& tier) {
    for (int64_t m = 1; m <= 17; ++m)
      for (const int64_t n : {1, 15, 16, 33, 70}) compare_gemm(tier, {m, n, 19, m % 3, GemmMode::kStore, n % 2 == 0});
  });
}

TEST("gemm: one k, patch-sized k, several passes, tall and wide") {
  each_tier([](const KernelTable& tier) {
    for (const GemmMode mode : {GemmMode::kStore, GemmMode::kAdd, GemmMode::kResume}) {
      compare_gemm(tier, {5, 40, 1, 0, mode, true});
      compare_gemm(tier, {63, 17, 588, 4, mode, true});
      compare_gemm(tier, {1, 100, 1100, 0, mode, false});
      compare_gemm(tier, {14, 23, 1025, 3, mode, true});
    }
    compare_gemm(tier, {65, kGemmColumns, 31, 1, GemmMode::kAdd, true});
    compare_gemm(tier, {kGemmRows, 18, 33, 0, GemmMode::kAdd, false});
  });
}

TEST("gemm, scalar: a product by hand") {
  // Two rows, three columns, bias: out = x w^T + b.
  const float x[] = {1, 2, 3, 4};
  float panels[32] = {}, out[6] = {};
  const float w[3][2] = {{1, 10}, {0.5f, -1}, {0, 2}};
  for (int column = 0; column < 3; ++column)
    for (int i = 0; i < 2; ++i) panels[i * 16 + column] = w[column][i];
  const float bias[] = {0, 100, 1000};
  std::vector<float> scratch(kGemmScratch);
  scalar().gemm_f32({x, 2, 2, panels, 2 * 16 * 4, 2, 3, bias, out, 3, GemmMode::kStore, scratch.data()});
  const float expected[] = {21, 98.5f, 1004, 43, 97.5f, 1008};
  CHECK(same_bits(out, expected, 6));
}

TEST("dot_rows: every tail, and the scalar one by hand") {
  const float rows[] = {1, 2, 3, 1e8F, 1, -1e8F};
  double by_hand[4];
  scalar().dot_rows(rows, 3, 2, rows, 3, 2, 3, by_hand, 2);
  const double expected[] = {14, 1e8 + 2 - 3e8, 1e8 + 2 - 3e8, 2e16 + 1};
  for (int i = 0; i < 3; ++i) CHECK_EQ(by_hand[i], expected[i]);
  CHECK_NEAR(by_hand[3], expected[3], 4);
  each_tier([](const KernelTable& tier) {
    for (const int64_t m : {1, 2, 4, 5, 9})
      for (const int64_t n : {1, 3, 4, 8, 11})
        for (const int64_t k : kWidths) {
          Guarded a(m, k, 1, 3), b(n, k, 2, 1);
          std::vector<double> got(static_cast<size_t>(m * (n + 2)), 7), wanted = got;
          tier.dot_rows(a.data(), a.stride(), m, b.data(), b.stride(), n, k, got.data(), n + 2);
          scalar().dot_rows(a.data(), a.stride(), m, b.data(), b.stride(), n, k, wanted.data(), n + 2);
          CHECK(got == wanted);
        }
  });
}

TEST("pack_rows and pack_columns: odd shapes, strided views") {
  each_tier([](const KernelTable& tier) {
    for (const int64_t rows : {1, 7, 15, 16, 17, 40})
      for (const int64_t k : kWidths) {
        Guarded x(rows, k, 4, 5);
        const int64_t by_rows = (rows + 15) / 16 * k * 16, by_columns = (k + 15) / 16 * rows * 16;
        Guarded a(1, by_rows, 5), b(1, by_rows, 5), c(1, by_columns, 6), d(1, by_columns, 6);
        tier.pack_rows(x.data(), x.stride(), rows, k, a.data());
        scalar().pack_rows(x.data(), x.stride(), rows, k, b.data());
        tier.pack_columns(x.data(), x.stride(), rows, k, c.data());
        scalar().pack_columns(x.data(), x.stride(), rows, k, d.data());
        CHECK(a.same(b));
        CHECK(c.same(d));
        CHECK_EQ(b.at(0, (rows - 1) / 16 * k * 16 + (k - 1) * 16 + (rows - 1) % 16), x.at(rows - 1, k - 1));
        CHECK_EQ(d.at(0, (k - 1) / 16 * rows * 16 + (rows - 1) * 16 + (k - 1) % 16), x.at(rows - 1, k - 1));
      }
  });
}

TEST("16-bit floats: all values widen alike on every tier, and come back") {
  std::vector<uint16_t> halves;
  for (uint32_t i = 0; i < 65536; ++i) halves.push_back(static_cast<uint16_t>(i));
  for (const uint16_t half : halves) {
    const float a = f16_to_f32(half), b = bf16_to_f32(half);
    if (!std::isnan(a)) CHECK_EQ(f32_to_f16(a), half);
    if (!std::isnan(b)) CHECK_EQ(f32_to_bf16(b), half);
  }
  each_tier([&](const KernelTable& tier) {
    for (const int64_t n : {65536, 31, 1}) {
      Guarded a(1, n, 1), b(1, n, 2);
      tier.widen_bf16(halves.data(), n, a.data());
      scalar().widen_bf16(halves.data(), n, b.data());
      CHECK(a.same(b));
      tier.widen_f16(halves.data(), n, a.data());
      scalar().widen_f16(halves.data(), n, b.data());
      for (int64_t i = 0; i < n; ++i)  // hardware quiets NaNs
        CHECK(std::isnan(b.at(0, i)) ? std::isnan(a.at(0, i)) : same_bits(&a.at(0, i), &b.at(0, i), 1));
      CHECK(a.intact());
    }
  });
}

TEST("16-bit floats: narrowing rounds to nearest, ties to even") {
  CHECK_EQ(f32_to_bf16(1.00390625f), 0x3f80);    // 1 + 2^-8, a tie: even is below
  CHECK_EQ(f32_to_bf16(1.01171875f), 0x3f82);    // 1 + 3 * 2^-8, a tie: even is above
  CHECK_EQ(f32_to_bf16(3.4e38f), 0x7f80);        // beyond the largest
  CHECK_EQ(f32_to_f16(1.00048828125f), 0x3c00);  // 1 + 2^-11
  CHECK_EQ(f32_to_f16(1.00146484375f), 0x3c02);  // 1 + 3 * 2^-11
  CHECK_EQ(f32_to_f16(65519.0f), 0x7bff);
  CHECK_EQ(f32_to_f16(65520.0f), 0x7c00);
  CHECK_EQ(f32_to_f16(0x1p-24f), 1);
  CHECK_EQ(f32_to_f16(0x1p-25f), 0);  // a tie: even is zero
  CHECK_EQ(f32_to_f16(-0x1.8p-25f), 0x8001);
  CHECK(std::isnan(f16_to_f32(f32_to_f16(NAN))) && std::isnan(bf16_to_f32(f32_to_bf16(NAN))));
}

TEST("exp: within 3e-7 of the truth, 0 and e^88 at the ends, NaN stays NaN") {
  double worst = 0;
  for (int i = -63500; i <= 64200; ++i) {
    const float x = static_cast<float>(i) * 0.00137f;  // -87 to 88
    const double truth = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::fabs(reference::exp_f32(x) / truth - 1.0));
  }
  CHECK(worst < 3e-7);
  CHECK_EQ(reference::exp_f32(0.0f), 1.0f);
  CHECK_EQ(reference::exp_f32(-INFINITY), 0.0f);
  CHECK_EQ(reference::exp_f32(1000.0f), reference::exp_f32(88.0f));
  CHECK(std::isnan(reference::exp_f32(NAN)));
}

TEST("softmax_numerator: tiers agree, and with double precision") {
  for (const int64_t n : kWidths) {
    Guarded truth(1, n, 9, 0, 6.0f), x = truth;
    const float sum = scalar().softmax_numerator(x.data(), n, 1.7f);
    double largest = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, truth.at(0, i) * 1.7);
    for (int64_t i = 0; i < n; ++i) {
      const double e = std::exp(truth.at(0, i) * 1.7 - largest);
      total += e;
      CHECK_NEAR(x.at(0, i), e, 5e-6 * e);
    }
    CHECK_NEAR(sum, total, 3e-6 * total);
    each_tier([&](const KernelTable& tier) {
      Guarded y = truth;
      CHECK_EQ(tier.softmax_numerator(y.data(), n, 1.7f), sum);
      CHECK(y.same(x));
    });
  }
}

TEST("softmax_bf16: tiers agree, and with double precision") {
  for (const int64_t n : kWidths) {
    Guarded truth(1, n, 9, 1, 6.0f), x = truth;
    const float sum = scalar().softmax_bf16(x.data(), n, 1.7f);
    double largest = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, truth.at(0, i) * 1.7);
    for (int64_t i = 0; i < n; ++i) {
      const double e = std::exp(truth.at(0, i) * 1.7 - largest);
      total += e;
      CHECK_NEAR(x.at(0, i), e, 5e-3 * e);
    }
    CHECK_NEAR(sum, total, 1e-4 * total);
    if (n % 2 != 0) CHECK_EQ(x.data()[n], 0.0f);
    each_tier([&](const KernelTable& tier) {
      Guarded y = truth;
      CHECK_EQ(tier.softmax_bf16(y.data(), n, 1.7f), sum);
      const auto* pairs = reinterpret_cast<const uint16_t*>(y.data());
      for (int64_t i = 0; i < n + n % 2; ++i)
        CHECK_EQ(tier.bf16_per_float == 1 ? y.data()[i] : bf16_to_f32(pairs[i]), x.data()[i]);
    });
  }
  for (const float far : {-1e30f, -INFINITY})
    each_tier([&](const KernelTable& tier) {
      std::vector<float> x = {0, far}, alone = {0, 77};  // an odd number of them takes an even number's room
      CHECK_EQ(tier.softmax_bf16(x.data(), 2, 1), scalar().softmax_bf16(alone.data(), 1, 1));
    });
}

TEST("soft_cap: tiers agree, and with double precision") {
  for (const int64_t n : kWidths) {
    Guarded truth(1, n, 10, 0, 200.0f), x = truth;
    scalar().soft_cap(x.data(), n, 0.7f, 50.0f);
    for (int64_t i = 0; i < n; ++i) CHECK_NEAR(x.at(0, i), 50 * std::tanh(truth.at(0, i) * 0.7 / 50), 2e-5);
    each_tier([&](const KernelTable& tier) {
      Guarded y = truth;
      tier.soft_cap(y.data(), n, 0.7f, 50.0f);
      CHECK(y.same(x));
    });
  }
}

TEST("norms: tiers agree, and with double precision") {
  for (const int64_t d : kWidths) {
    Guarded x(1, d, 11, 0, 3.0f), weight(1, d, 12), bias(1, d, 13), rms(1, d, 0), layer(1, d, 0), bare(1, d, 0),
        unit(1, d, 0);
    scalar().rms_norm(x.data(), weight.data(), 1e-5f, d, rms.data());
    scalar().layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, d, layer.data());
    scalar().layer_norm(x.data(), weight.data(), nullptr, 1e-5f, d, bare.data());
    scalar().normalise(x.data(), d, unit.data());
    double mean = 0, squares = 0, variance = 0;
    for (int64_t i = 0; i < d; ++i) mean += x.at(0, i) / static_cast<double>(d);
    for (int64_t i = 0; i < d; ++i) {
      squares += static_cast<double>(x.at(0, i)) * x.at(0, i);
      variance += (x.at(0, i) - mean) * (x.at(0, i) - mean) / static_cast<double>(d);
    }
    for (int64_t i = 0; i < d; ++i) {
      CHECK_NEAR(rms.at(0, i), x.at(0, i) / std::sqrt(squares / static_cast<double>(d) + 1e-5) * weight.at(0, i), 2e-6);
      const double centred = (x.at(0, i) - mean) / std::sqrt(variance + 1e-5) * weight.at(0, i);
      CHECK_NEAR(layer.at(0, i), centred + bias.at(0, i), 5e-6);
      CHECK_NEAR(bare.at(0, i), centred, 5e-6);
      CHECK_NEAR(unit.at(0, i), x.at(0, i) / std::sqrt(squares), 1e-6);
    }
    each_tier([&](const KernelTable& tier) {
      Guarded out(1, d, 0);
      tier.rms_norm(x.data(), weight.data(), 1e-5f, d, out.data());
      CHECK(out.same(rms));
      tier.layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, d, out.data());
      CHECK(out.same(layer));
      tier.layer_norm(x.data(), weight.data(), nullptr, 1e-5f, d, out.data());
      CHECK(out.same(bare));
      out = x;
      tier.normalise(out.data(), d, out.data());
      CHECK(out.same(unit));
    });
  }
}

TEST("normalise: a zero row stays zero") {
  for (const std::string& name : available_tiers()) {
    float x[20] = {};
    select_kernels(name).normalise(x, 20, x);
    for (const float value : x) CHECK_EQ(value, 0.0f);
  }
}

double truth_of(int activation, double x) {
  switch (activation) {
    case 0:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case 1:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case 2:
      return x / (1 + std::exp(-1.702 * x));
    case 3:
      return x / (1 + std::exp(-x));
    default:
      return x > 0 ? x : 0;
  }
}

TEST("activations and gates: tiers agree, and with double precision") {
  for (size_t kind = 0; kind < kActivations; ++kind)
    for (const int64_t n : kWidths) {
      constexpr int64_t kRows = 2;
      const int64_t padded = (n + kPanel - 1) / kPanel * kPanel;
      const Guarded x(1, n, 21, 0, 9.0f);
      Guarded pairs(kRows, 2 * padded, 22, 3);
      for (int64_t row = 0; row < kRows; ++row)  // gates as large as x, what they gate up to 1
        for (int64_t i = 0; i < padded; ++i) pairs.at(row, i / kPanel * 2 * kPanel + i % kPanel) *= 9;
      Guarded y = x, z(kRows, n, 0, 5);
      scalar().activate[kind](y.data(), n);
      scalar().gated[kind](pairs.data(), pairs.stride(), kRows, n, z.data(), z.stride());
      for (int64_t i = 0; i < n; ++i) {
        const double truth = truth_of(static_cast<int>(kind), x.at(0, i));
        CHECK_NEAR(y.at(0, i), truth, 1e-6 + 1e-6 * std::fabs(truth));
        for (int64_t row = 0; row < kRows; ++row) {
          const int64_t gate = i / kPanel * 2 * kPanel + i % kPanel;
          const double product = truth_of(static_cast<int>(kind), pairs.at(row, gate)) * pairs.at(row, gate + kPanel);
          CHECK_NEAR(z.at(row, i), product, 1e-6 + 1e-6 * std::fabs(product));
        }
      }
      each_tier([&](const KernelTable& tier) {
        Guarded a = x, b(kRows, n, 0, 5);
        tier.activate[kind](a.data(), n);
        tier.gated[kind](pairs.data(), pairs.stride(), kRows, n, b.data(), b.stride());
        CHECK(a.intact() && b.intact());
        if (kind != 0) CHECK(a.same(y) && b.same(z));
        for (int64_t i = 0; i < n; ++i) {
          CHECK_NEAR(a.at(0, i), y.at(0, i), 1e-6 + 1e-6 * std::fabs(y.at(0, i)));
          for (int64_t row = 0; row < kRows; ++row)
            CHECK_NEAR(b.at(row, i), z.at(row, i), 1e-6 + 1e-6 * std::fabs(z.at(row, i)));
        }
      });
    }
}

TEST("activations: NaN is not hidden") {
  for (const std::string& name : available_tiers())
    for (size_t kind = 0; kind < kActivations; ++kind) {
      std::vector<float> x(20, NAN);
      select_kernels(name).activate[kind](x.data(), 20);
      for (const float value : x) CHECK(std::isnan(value));
    }
}

TEST("add, scale, rope: tiers agree, and by hand") {
  for (const int64_t n : kWidths)
    each_tier([&](const KernelTable& tier) {
      const Guarded x(1, n, 31), y(1, n, 32);
      Guarded a = x, b = x;
      tier.add(a.data(), y.data(), n);
      scalar().add(b.data(), y.data(), n);
      CHECK(a.same(b));
      CHECK_EQ(b.at(0, n - 1), x.at(0, n - 1) + y.at(0, n - 1));
      tier.scale(x.data(), 0.3f, n, a.data());
      scalar().scale(x.data(), 0.3f, n, b.data());
      CHECK(a.same(b));
      CHECK_EQ(b.at(0, n - 1), x.at(0, n - 1) * 0.3f);
    });
  for (const int64_t d_head : {2, 8, 32, 64, 80, 128})
    each_tier([&](const KernelTable& tier) {
      const Guarded x(1, 3 * d_head, 33), table(1, d_head, 34);
      Guarded a = x, b = x;
      tier.rope(a.data(), table.data(), table.data() + d_head / 2, 3, d_head);
      scalar().rope(b.data(), table.data(), table.data() + d_head / 2, 3, d_head);
      CHECK(a.same(b));
    });
  float pair[] = {1, 2};
  const float cosine = 0, sine = 1;  // a quarter turn
  scalar().rope(pair, &cosine, &sine, 1, 2);
  CHECK(pair[0] == -2 && pair[1] == 1);
}

TEST("multiply, gated_conv: tiers agree, and by hand") {
  for (const int64_t n : kWidths)
    each_tier([&](const KernelTable& tier) {
      const Guarded x(1, n, 35), y(1, n, 36);
      Guarded a = x, b = x;
      tier.multiply(x.data(), y.data(), n, a.data());
      scalar().multiply(x.data(), y.data(), n, b.data());
      CHECK(a.same(b));
      CHECK_EQ(b.at(0, n - 1), x.at(0, n - 1) * y.at(0, n - 1));
      for (const int64_t taps : {1, 3, 4})
        for (const float* bias : {static_cast<const float*>(nullptr), y.data()}) {
          const Guarded rows(taps, n, 37, 5), weight(taps, n, 38);
          tier.gated_conv(rows.data(), rows.stride(), weight.data(), bias, x.data(), taps, n, a.data());
          scalar().gated_conv(rows.data(), rows.stride(), weight.data(), bias, x.data(), taps, n, b.data());
          CHECK(a.same(b) && a.intact());
        }
    });
  const float rows[] = {1, 10, 2, 20}, weight[] = {3, 4, 5, 6}, bias[] = {100, 200}, gate[] = {2, -1};
  float out[2];
  scalar().gated_conv(rows, 2, weight, bias, gate, 2, 2, out);
  CHECK(out[0] == 2 * (100 + 3 + 10) && out[1] == -(200 + 40 + 120));
}

TEST("all_finite: finds one NaN or infinity at any place") {
  for (const int64_t n : kWidths)
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      Guarded x(1, n, 41);
      CHECK(scalar().all_finite(x.data(), n));
      x.at(0, n - 1) = bad;
      CHECK(!scalar().all_finite(x.data(), n));
    }
}

TEST("tiers: FOVEA_ISA caps auto, unknown or missing tiers throw") {
  CHECK_EQ(std::string(select_kernels("scalar").tier), "scalar");
  CHECK_EQ(std::string(select_kernels(available_tiers().back()).tier), available_tiers().back());
  CHECK_THROWS(ErrorCode::kIsa, select_kernels("avx1024"));
  CHECK_THROWS(ErrorCode::kIsa, select_kernels(""));
  const char* before = std::getenv("FOVEA_ISA");
  const std::string saved = before == nullptr ? "" : before;
  setenv("FOVEA_ISA", "scalar", 1);
  CHECK_EQ(std::string(select_kernels("auto").tier), "scalar");
#if defined(__aarch64__)
  setenv("FOVEA_ISA", "avx2", 1);
#else
  setenv("FOVEA_ISA", "neon", 1);
#endif
  CHECK_THROWS(ErrorCode::kIsa, select_kernels("auto"));
  unsetenv("FOVEA_ISA");
  CHECK_EQ(std::string(select_kernels("auto").tier), available_tiers().back());
  if (!saved.empty()) setenv("FOVEA_ISA", saved.c_str(), 1);
}

}  // namespace fovea::test
