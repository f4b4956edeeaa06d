// The CPU backend: truth by naive double-precision loops, and the promise that a row depends on nothing but its inputs.
#include <limits>
#include <numeric>

#include "kernels/half.h"
#include "kernels/select.h"
#include "ops/ops.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

std::unique_ptr<PackedMatrix> pack_f32(Ops& ops, Guarded& w) {
  const Tensor part = w.tensor();
  return ops.pack({&part, 1}, DType::kF32);
}

// Every tier with one and three threads.
template <typename F>
void each_backend(F&& body) {
  for (const std::string& tier : available_tiers())
    for (const int threads : {1, 3}) body(*make_cpu_ops(threads, tier));
}

struct Heads {
  int64_t n_q, n_keys, n_heads, n_kv_heads, d_head;
};

// out (n_q, n_heads * d_head) in double precision.
std::vector<double> naive_attention(const Guarded& q, const Guarded& k, const Guarded& v, const Heads& h, bool causal,
                                    double scale) {
  std::vector<double> out(static_cast<size_t>(h.n_q * h.n_heads * h.d_head), 0.0);
  for (int64_t i = 0; i < h.n_q; ++i)
    for (int64_t head = 0; head < h.n_heads; ++head) {
      const int64_t kv = head * h.n_kv_heads / h.n_heads, seen = causal ? h.n_keys - h.n_q + i + 1 : h.n_keys;
      std::vector<double> p;
      for (int64_t j = 0; j < seen; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < h.d_head; ++c) dot += double{q.at(i, head * h.d_head + c)} * k.at(j, kv * h.d_head + c);
        p.push_back(std::exp(dot * scale));
      }
      const double sum = std::accumulate(p.begin(), p.end(), 0.0);
      for (int64_t j = 0; j < seen; ++j)
        for (int64_t c = 0; c < h.d_head; ++c)
          out[static_cast<size_t>((i * h.n_heads + head) * h.d_head + c)] +=
              p[static_cast<size_t>(j)] / sum * v.at(j, kv * h.d_head + c);
    }
  return out;
}

struct AttentionInput {
  Heads h;
  Guarded q, k, v, out;
  AttentionInput(const Heads& heads, int64_t gap)
      : h(heads),
        q(heads.n_q, heads.n_heads * heads.d_head, 51, gap, 2.0f),
        k(heads.n_keys, heads.n_kv_heads * heads.d_head, 52, gap),
        v(heads.n_keys, heads.n_kv_heads * heads.d_head, 53, gap + 3),
        out(heads.n_q, heads.n_heads * heads.d_head, 54, gap) {}
  void run(Ops& ops, bool causal) {
    const AttentionSegment segment{0, h.n_q, k.heads(h.n_kv_heads), v.heads(h.n_kv_heads), causal};
    ops.attention(q.heads(h.n_heads), {&segment, 1}, 0.25f, out.heads(h.n_heads));
  }
};

const Heads kHeadCases[] = {{1, 1, 1, 1, 8},     {1, 7, 2, 2, 32},     {5, 65, 6, 2, 64},   {3, 300, 3, 1, 80},
                            {40, 65, 4, 2, 128}, {130, 300, 2, 2, 64}, {17, 600, 4, 1, 12}, {2, 9, 2, 1, 300}};

}  // namespace

TEST("linear: against double precision, every weight type, odd shapes, strided views") {
  each_backend([](Ops& ops) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 588}, {17, 5, 1}, {65, 300, 40}, {200, 17, 70}}) {
      Guarded x(m, k, 1, 3), w(n, k, 2, 1), bias(1, n, 3), out(m, n, 4, 5);
      const Tensor part = w.tensor();
      for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
        const auto packed = ops.pack({&part, 1}, dtype);
        CHECK(packed->outputs() == n && packed->inputs() == k &&
              packed->bytes() >= static_cast<size_t>(n * k) * element_size(dtype));
        ops.linear(x.tensor(), *packed, bias.vector(), out.tensor());
        Guarded twice = out;
        ops.linear(x.tensor(), *packed, bias.vector(), twice.tensor(), true);
        CHECK(out.intact() && twice.intact());
        const double tolerance = dtype == DType::kF32 ? 2e-4 : dtype == DType::kF16 ? 2e-2 : 1.5e-1;
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double truth = bias.at(0, j);
            for (int64_t c = 0; c < k; ++c) truth += double{x.at(i, c)} * w.at(j, c);
            CHECK_NEAR(out.at(i, j), truth, tolerance);
            CHECK_EQ(twice.at(i, j), out.at(i, j) + out.at(i, j));
          }
      }
    }
  });
}

TEST("linear: a row has the same bits whatever m, threads and tier") {
  constexpr int64_t kRows = 200, kOutputs = 330, kInputs = 700;
  Guarded x(kRows, kInputs, 1), w(kOutputs, kInputs, 2), bias(1, kOutputs, 3), truth(kRows, kOutputs, 4);
  const auto scalar = make_cpu_ops(1, "scalar");
  scalar->linear(x.tensor(), *pack_f32(*scalar, w), bias.vector(), truth.tensor());
  for (const std::string& tier : available_tiers())
    for (const int threads : {1, 2, 3}) {
      if (tier == "scalar" && threads > 2) continue;
      const auto ops = make_cpu_ops(threads, tier);
      const auto packed = pack_f32(*ops, w);
      for (const int64_t m : {int64_t{1}, int64_t{2}, int64_t{13}, int64_t{63}, kRows}) {
        Guarded out(kRows, kOutputs, 4);
        const Tensor view = out.tensor();
        // The last m rows, so that a row is at different places of a block.
        ops->linear(x.tensor().slice(kRows - m, m), *packed, bias.vector(), view.slice(kRows - m, m));
        CHECK(same_bits(&out.at(kRows - m, 0), &truth.at(kRows - m, 0), m * kOutputs));
      }
    }
}

TEST("pack: stacks parts of different types, converts exactly") {
  each_backend([](Ops& ops) {
    constexpr int64_t kInputs = 37;
    Guarded a(5, kInputs, 1), b(20, kInputs, 2, 4);
    std::vector<uint16_t> halves;
    for (int64_t i = 0; i < 3 * kInputs; ++i) halves.push_back(f32_to_f16(b.at(0, i % kInputs)));
    const Tensor parts[] = {a.tensor(), Tensor(halves.data(), DType::kF16, Device::kCpu, {3, kInputs}), b.tensor()};
    const auto packed = ops.pack(parts, DType::kF32);
    REQUIRE(packed->outputs() == 28);
    // One-hot rows read the matrix back.
    std::vector<float> one_hot(kInputs * kInputs, 0.0f);
    for (int64_t i = 0; i < kInputs; ++i) one_hot[static_cast<size_t>(i * kInputs + i)] = 1.0f;
    Guarded out(kInputs, 28, 3);
    ops.linear(Tensor(one_hot.data(), DType::kF32, Device::kCpu, {kInputs, kInputs}), *packed, {}, out.tensor());
    for (int64_t i = 0; i < kInputs; ++i) {
      for (int64_t j = 0; j < 5; ++j) CHECK_EQ(out.at(i, j), a.at(j, i));
      for (int64_t j = 0; j < 3; ++j)
        CHECK_EQ(out.at(i, 5 + j), f16_to_f32(halves[static_cast<size_t>(j * kInputs + i)]));
      for (int64_t j = 0; j < 20; ++j) CHECK_EQ(out.at(i, 8 + j), b.at(j, i));
    }
  });
}

TEST("pack: NaN, infinity and overflow are refused") {
  const auto ops = make_cpu_ops(2, "auto");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Guarded w(40, 30, 1);
    w.at(39, 29) = bad;
    CHECK_THROWS(ErrorCode::kNumeric, pack_f32(*ops, w));
  }
  Guarded w(40, 30, 1);
  w.at(17, 3) = 1e6f;
  const Tensor part = w.tensor();
  CHECK_THROWS(ErrorCode::kNumeric, ops->pack({&part, 1}, DType::kF16));
  CHECK_EQ(ops->pack({&part, 1}, DType::kBF16)->outputs(), 40);
}

TEST("attention: against double precision, grouped heads, causal and not, strided views") {
  each_backend([](Ops& ops) {
    for (const Heads& h : kHeadCases)
      for (const bool causal : {false, true}) {
        AttentionInput in(h, h.n_q % 4);
        in.run(ops, causal);
        CHECK(in.out.intact());
        const auto truth = naive_attention(in.q, in.k, in.v, h, causal, 0.25);
        for (int64_t i = 0; i < h.n_q; ++i)
          for (int64_t c = 0; c < h.n_heads * h.d_head; ++c)
            CHECK_NEAR(in.out.at(i, c), truth[static_cast<size_t>(i * h.n_heads * h.d_head + c)], 1e-5);
      }
  });
}

TEST("attention: the same bits on every tier and thread count") {
  for (const Heads& h : kHeadCases) {
    AttentionInput truth(h, 0);
    truth.run(*make_cpu_ops(1, "scalar"), true);
    each_backend([&](Ops& ops) {
      AttentionInput in(h, 0);
      in.run(ops, true);
      CHECK(in.out.same(truth.out));
    });
  }
}

TEST("attention: causal prefill of n rows is n single-row calls, bit for bit") {
  each_backend([](Ops& ops) {
    const Heads h{110, 290, 6, 2, 40};
    AttentionInput all(h, 0), one(h, 0);
    all.run(ops, true);
    for (int64_t i = 0; i < h.n_q; ++i) {
      const int64_t seen = h.n_keys - h.n_q + i + 1;
      const AttentionSegment segment{0, 1, one.k.heads(2).slice(0, seen), one.v.heads(2).slice(0, seen), true};
      ops.attention(one.q.heads(6).slice(i, 1), {&segment, 1}, 0.25f, one.out.heads(6).slice(i, 1));
    }
    CHECK(all.out.same(one.out));
  });
}

TEST("attention: a NaN in a key that a row does not see leaves the row alone") {
  each_backend([](Ops& ops) {
    const Heads h{30, 30, 2, 2, 16};
    AttentionInput clean(h, 0), dirty(h, 0);
    clean.run(ops, true);
    for (int64_t c = 0; c < 32; ++c) dirty.k.at(20, c) = dirty.v.at(20, c) = NAN;
    dirty.run(ops, true);
    CHECK(same_bits(clean.out.data(), dirty.out.data(), 20 * 32));
    CHECK(std::isnan(dirty.out.at(20, 0)));
  });
}

TEST("attention: packed segments are the segments alone, bit for bit") {
  each_backend([](Ops& ops) {
    Guarded q(60, 4 * 24, 1), together(60, 4 * 24, 2), alone(60, 4 * 24, 2), keys(200, 2 * 24, 3),
        values(200, 2 * 24, 4);
    const Tensor k = keys.heads(2), v = values.heads(2);
    const AttentionSegment segments[] = {{0, 20, k.slice(0, 50), v.slice(0, 50), true},
                                         {20, 1, k.slice(50, 100), v.slice(50, 100), true},
                                         {21, 39, k.slice(150, 39), v.slice(150, 39), false}};
    ops.attention(q.heads(4), segments, 0.2f, together.heads(4));
    for (const AttentionSegment& s : segments) {
      const AttentionSegment own{0, s.n_q, s.k, s.v, s.causal};
      ops.attention(q.heads(4).slice(s.q_begin, s.n_q), {&own, 1}, 0.2f, alone.heads(4).slice(s.q_begin, s.n_q));
    }
    CHECK(together.same(alone));
  });
}

TEST("attention_probs: against double precision, rows sum to one, a row alone has the same bits") {
  each_backend([](Ops& ops) {
    for (const Heads& h : kHeadCases) {
      Guarded q(h.n_q, h.n_heads * h.d_head, 61, 2, 2.0f), k(h.n_keys, h.n_kv_heads * h.d_head, 62, 1);
      Guarded out(h.n_q, h.n_keys, 63, 7), alone(1, h.n_keys, 64);
      ops.attention_probs(q.heads(h.n_heads), k.heads(h.n_kv_heads), 0.25f, out.tensor());
      CHECK(out.intact());
      // Against values that pick out one key at a time: attention with v = identity is the probability.
      for (int64_t i = 0; i < h.n_q; i += 7) {
        std::vector<double> mean(static_cast<size_t>(h.n_keys), 0.0);
        for (int64_t head = 0; head < h.n_heads; ++head) {
          std::vector<double> p;
          for (int64_t j = 0; j < h.n_keys; ++j) {
            double dot = 0;
            for (int64_t c = 0; c < h.d_head; ++c)
              dot += double{q.at(i, head * h.d_head + c)} * k.at(j, head * h.n_kv_heads / h.n_heads * h.d_head + c);
            p.push_back(std::exp(dot * 0.25));
          }
          const double sum = std::accumulate(p.begin(), p.end(), 0.0);
          for (size_t j = 0; j < p.size(); ++j) mean[j] += p[j] / sum / static_cast<double>(h.n_heads);
        }
        double total = 0;
        for (int64_t j = 0; j < h.n_keys; ++j) {
          CHECK_NEAR(out.at(i, j), mean[static_cast<size_t>(j)], 1e-5 * mean[static_cast<size_t>(j)] + 1e-7);
          total += out.at(i, j);
        }
        CHECK_NEAR(total, 1.0, 1e-5);
        ops.attention_probs(q.heads(h.n_heads).slice(i, 1), k.heads(h.n_kv_heads), 0.25f, alone.tensor());
        CHECK(same_bits(&alone.at(0, 0), &out.at(i, 0), h.n_keys));
      }
    }
  });
}

TEST("dot_rows: against double precision, symmetric in its bits") {
  each_backend([](Ops& ops) {
    for (const auto& [m, k] : {std::array<int64_t, 2>{1, 1}, {65, 33}, {300, 100}}) {
      Guarded a(m, k, 1, 2), out(m, m, 2, 1);
      ops.dot_rows(a.tensor(), a.tensor(), out.tensor());
      CHECK(out.intact());
      for (int64_t i = 0; i < m; i += 5)
        for (int64_t j = 0; j < m; ++j) {
          double truth = 0;
          for (int64_t c = 0; c < k; ++c) truth += double{a.at(i, c)} * a.at(j, c);
          CHECK_NEAR(out.at(i, j), truth, 5e-5);
          CHECK_EQ(out.at(i, j), out.at(j, i));
        }
    }
  });
}

TEST("norms, activations, sums: rows of strided views equal the kernels") {
  each_backend([](Ops& ops) {
    const KernelTable kernels = select_kernels(ops.tier());
    constexpr int64_t kRows = 300, kWidth = 90;
    Guarded x(kRows, kWidth, 1, 6), w(1, kWidth, 2), b(1, kWidth, 3), out(kRows, kWidth, 4, 2);
    std::vector<float> row(kWidth);
    const auto check = [&](auto&& kernel) {
      CHECK(out.intact());
      for (int64_t i = 0; i < kRows; ++i) {
        std::copy_n(&x.at(i, 0), kWidth, row.begin());
        kernel(row.data());
        CHECK(same_bits(&out.at(i, 0), row.data(), kWidth));
      }
    };
    ops.rms_norm(x.tensor(), w.vector(), 1e-5f, out.tensor());
    check([&](float* r) { kernels.rms_norm(r, w.data(), 1e-5f, kWidth, r); });
    ops.layer_norm(x.tensor(), w.vector(), b.vector(), 1e-5f, out.tensor());
    check([&](float* r) { kernels.layer_norm(r, w.data(), b.data(), 1e-5f, kWidth, r); });
    ops.normalise_rows(x.tensor(), out.tensor());
    check([&](float* r) { kernels.normalise(r, kWidth, r); });
    ops.copy(x.tensor(), out.tensor());
    ops.activate(out.tensor(), Activation::kSilu);
    check([&](float* r) { kernels.activate[3](r, kWidth); });
    ops.copy(x.tensor(), out.tensor());
    ops.add(out.tensor(), b.vector());
    check([&](float* r) { kernels.add(r, b.data(), kWidth); });
    ops.copy(x.tensor(), out.tensor());
    ops.add(out.tensor(), x.tensor());
    check([&](float* r) { kernels.scale(r, 2.0f, kWidth, r); });
    Guarded half(kRows, kWidth / 2, 5);
    ops.gated(x.tensor(), Activation::kGeluTanh, half.tensor());
    for (int64_t i = 0; i < kRows; ++i) {
      kernels.gated[1](&x.at(i, 0), &x.at(i, kWidth / 2), kWidth / 2, row.data());
      CHECK(same_bits(&half.at(i, 0), row.data(), kWidth / 2));
    }
  });
}

TEST("rope: table and rotation against double precision") {
  each_backend([](Ops& ops) {
    const std::vector<int32_t> positions = {0, 1, 7, 700};
    const std::vector<float> inv_freq = {1.0f, 0.1f, 0.01f, 0.001f};
    Guarded table(4, 8, 1, 2), x(4, 24, 2, 1), before = x;
    ops.rope_table(positions, inv_freq, table.tensor());
    ops.rope(x.heads(3), table.tensor());
    CHECK(table.intact() && x.intact());
    for (int64_t row = 0; row < 4; ++row)
      for (int64_t i = 0; i < 4; ++i) {
        const double angle = static_cast<float>(positions[static_cast<size_t>(row)]) * inv_freq[static_cast<size_t>(i)];
        CHECK_NEAR(table.at(row, i), std::cos(angle), 1e-6);
        CHECK_NEAR(table.at(row, 4 + i), std::sin(angle), 1e-6);
        const double a = before.at(row, 8 + i), b = before.at(row, 12 + i);  // head 1
        CHECK_NEAR(x.at(row, 8 + i), a * std::cos(angle) - b * std::sin(angle), 1e-6);
        CHECK_NEAR(x.at(row, 12 + i), b * std::cos(angle) + a * std::sin(angle), 1e-6);
      }
  });
}

TEST("embed and gather_rows: the right rows, in place too, never outside") {
  each_backend([](Ops& ops) {
    Guarded table(50, 19, 1), out(3, 19, 2, 1);
    std::vector<uint16_t> f16, bf16;
    for (int64_t i = 0; i < 50 * 19; ++i) {
      f16.push_back(f32_to_f16(table.data()[i]));
      bf16.push_back(f32_to_bf16(table.data()[i]));
    }
    const std::vector<int32_t> ids = {49, 0, 7}, bad = {3, 50, 1}, negative = {-1, 0, 0};
    ops.embed(table.tensor(), ids, out.tensor());
    CHECK(out.intact() && same_bits(&out.at(0, 0), &table.at(49, 0), 19));
    ops.embed(Tensor(f16.data(), DType::kF16, Device::kCpu, {50, 19}), ids, out.tensor());
    CHECK_EQ(out.at(2, 18), f16_to_f32(f16[7 * 19 + 18]));
    ops.embed(Tensor(bf16.data(), DType::kBF16, Device::kCpu, {50, 19}), ids, out.tensor());
    CHECK_EQ(out.at(2, 18), bf16_to_f32(bf16[7 * 19 + 18]));
    CHECK_THROWS(ErrorCode::kInternal, ops.embed(table.tensor(), bad, out.tensor()));
    CHECK_THROWS(ErrorCode::kInternal, ops.embed(table.tensor(), negative, out.tensor()));

    ops.gather_rows(table.tensor(), ids, out.tensor());
    CHECK(same_bits(&out.at(2, 0), &table.at(7, 0), 19));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(table.tensor(), bad, out.tensor()));
    Guarded x = table;
    const std::vector<int32_t> keep = {1, 2, 30};
    ops.gather_rows(x.tensor(), keep, x.tensor().slice(0, 3));
    for (int64_t i = 0; i < 3; ++i) CHECK(same_bits(&x.at(i, 0), &table.at(keep[static_cast<size_t>(i)], 0), 19));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(x.tensor(), ids, x.tensor().slice(0, 3)));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(x.tensor(), keep, x.tensor().slice(1, 3)));
  });
}

TEST("patches: every pixel in its place, the rest cut") {
  each_backend([](Ops& ops) {
    constexpr int64_t kImages = 2, kChannels = 3, kHeight = 11, kWidth = 14, kPatch = 4;
    Guarded pixels(kImages, kChannels * kHeight * kWidth, 1), out(kImages * 2 * 3, kChannels * kPatch * kPatch, 2, 1);
    ops.patches(pixels.tensor().reshape_rows({kChannels, kHeight, kWidth}), kPatch, out.tensor());
    CHECK(out.intact());
    for (int64_t row = 0; row < kImages * 6; ++row)
      for (int64_t j = 0; j < kChannels * 16; ++j) {
        const int64_t y = row % 6 / 3 * kPatch + j % 16 / 4, x = row % 3 * kPatch + j % 4;
        CHECK_EQ(out.at(row, j), pixels.at(row / 6, (j / 16 * kHeight + y) * kWidth + x));
      }
  });
}

TEST("memory: copies to and from the host, aligned allocation, an error when there is none") {
  const auto ops = make_cpu_ops(1, "auto");
  Guarded x(5, 7, 1, 3);
  const Buffer buffer = ops->allocate(5 * 7 * sizeof(float));
  CHECK_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
  std::vector<float> host(35), back(35);
  ops->copy_to_host(x.tensor(), host.data());
  const Tensor there(buffer.data(), DType::kF32, Device::kCpu, {5, 7});
  ops->copy_from_host(host.data(), there);
  ops->copy_to_host(there, back.data());
  for (int64_t i = 0; i < 35; ++i) CHECK_EQ(back[static_cast<size_t>(i)], x.at(i / 7, i % 7));
  CHECK_THROWS(ErrorCode::kOutOfMemory, ops->allocate(std::numeric_limits<size_t>::max() / 2));
  CHECK(ops->all_finite(x.tensor()));
  x.at(4, 6) = INFINITY;
  CHECK(!ops->all_finite(x.tensor()));
}

TEST("shapes: a mismatch names the op and the shapes") {
  const auto ops = make_cpu_ops(1, "auto");
  Guarded x(4, 6, 1), w(5, 7, 2), out(4, 5, 3);
  const auto packed = pack_f32(*ops, w);
  try {
    ops->linear(x.tensor(), *packed, {}, out.tensor());
    CHECK(false);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.find("linear") != std::string::npos && text.find("(4, 6)") != std::string::npos);
  }
  CHECK_THROWS(ErrorCode::kInternal, ops->add(x.tensor(), w.tensor()));
  CHECK_THROWS(ErrorCode::kInternal, ops->rms_norm(x.tensor(), w.vector(), 0.0f, x.tensor()));
  CHECK_THROWS(ErrorCode::kInternal, ops->activate(Tensor(), Activation::kRelu));
  const AttentionSegment too_few{0, 4, x.heads(1).slice(0, 3), x.heads(1).slice(0, 3), true};
  CHECK_THROWS(ErrorCode::kInternal, ops->attention(x.heads(1), {&too_few, 1}, 1.0f, x.heads(1)));
  CHECK_THROWS(ErrorCode::kInternal, ops->patches(x.tensor().reshape_rows({1, 2, 3}), 3, out.tensor()));
}

TEST("make_cpu_ops: threads and tier are checked") {
  CHECK_THROWS(ErrorCode::kInvalidArgument, make_cpu_ops(-1, "auto"));
  CHECK_THROWS(ErrorCode::kInvalidArgument, make_cpu_ops(100000, "auto"));
  CHECK_THROWS(ErrorCode::kIsa, make_cpu_ops(1, "sse9"));
  CHECK(make_cpu_ops(0, "auto")->threads() >= 1);
  CHECK_EQ(make_cpu_ops(3, "scalar")->threads(), 3);
  CHECK_EQ(make_cpu_ops(1, "auto")->tier(), select_kernels("auto").tier);
}

}  // namespace fovea::test
