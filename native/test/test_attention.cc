// Attention: truth by naive double-precision loops, and rows that depend on nothing but their query and visible keys.
#include <algorithm>
#include <numeric>

#include "base/half.h"
#include "kernels/select.h"
#include "test/backends.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

struct Heads {
  int64_t n_q, n_keys, n_heads, n_kv_heads, d_head;
};

std::vector<KeyRange> causal_ranges(const Heads& h, bool causal) {
  std::vector<KeyRange> ranges;
  for (int64_t i = 0; i < h.n_q; ++i) ranges.push_back({0, causal ? h.n_keys - h.n_q + i + 1 : h.n_keys});
  return ranges;
}

double rounded_to_bf16(double x) { return bf16_to_f32(f32_to_bf16(static_cast<float>(x))); }

// out (n_q, n_heads * d_head) in double precision, of what `rounded` makes of factors. sees (n_q), or (n_kv_heads,
// n_q).
std::vector<double> naive_attention(
    const Guarded& q, const Guarded& k, const Guarded& v, const Heads& h, const std::vector<KeyRange>& sees,
    double scale, double cap = 0, double (*rounded)(double) = [](double x) { return x; }) {
  std::vector<double> out(static_cast<size_t>(h.n_q * h.n_heads * h.d_head), 0.0);
  for (int64_t i = 0; i < h.n_q; ++i)
    for (int64_t head = 0; head < h.n_heads; ++head) {
      const int64_t kv = head * h.n_kv_heads / h.n_heads;
      const bool is_per_head = std::ssize(sees) > h.n_q;
      const auto [begin, end] = sees[static_cast<size_t>((is_per_head ? kv * h.n_q : 0) + i)];
      std::vector<double> p;
      for (int64_t j = begin; j < end; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < h.d_head; ++c)
          dot += rounded(q.at(i, head * h.d_head + c)) * rounded(k.at(j, kv * h.d_head + c));
        p.push_back(cap > 0 ? cap * std::tanh(dot * scale / cap) : dot * scale);
      }
      const double most = *std::max_element(p.begin(), p.end());
      for (double& score : p) score = std::exp(score - most);
      const double sum = std::accumulate(p.begin(), p.end(), 0.0);
      for (int64_t j = begin; j < end; ++j)
        for (int64_t c = 0; c < h.d_head; ++c)
          out[static_cast<size_t>((i * h.n_heads + head) * h.d_head + c)] +=
              rounded(p[static_cast<size_t>(j - begin)]) / sum * rounded(v.at(j, kv * h.d_head + c));
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
  void run(Ops& ops, bool causal, bool in_bf16 = false) {
    const AttentionSegment segment{0, h.n_q, k.heads(h.n_kv_heads), v.heads(h.n_kv_heads), causal};
    ops.attention(q.heads(h.n_heads), {&segment, 1}, 0.25f, out.heads(h.n_heads), in_bf16);
  }
};

const Heads kHeadCases[] = {{1, 1, 1, 1, 8},     {1, 7, 2, 2, 32},     {5, 65, 6, 2, 64},   {3, 300, 3, 1, 80},
                            {40, 65, 4, 2, 128}, {130, 300, 2, 2, 64}, {17, 600, 4, 1, 12}, {2, 9, 2, 1, 300}};

}  // namespace

TEST("attention: against double precision, grouped heads, causal and not, strided views") {
  each_backend([](Ops& ops) {
    for (const Heads& h : kHeadCases)
      for (const bool causal : {false, true}) {
        AttentionInput in(h, h.n_q % 4);
        in.run(ops, causal);
        CHECK(in.out.intact());
        const auto truth = naive_attention(in.q, in.k, in.v, h, causal_ranges(h, causal), 0.25);
        for (int64_t i = 0; i < h.n_q; ++i)
          for (int64_t c = 0; c < h.n_heads * h.d_head; ++c)
            CHECK_NEAR(in.out.at(i, c), truth[static_cast<size_t>(i * h.n_heads * h.d_head + c)], 1e-5);
      }
  });
}

TEST("attention: the same bits whatever the threads and, but for tiles, the tier") {
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

TEST(
    "attention in bf16: of rounded numbers in double precision, the same bits on all threads and, but for tiles, "
    "tiers") {
  const Heads odd{9, 33, 3, 1, 13};
  std::vector<Heads> cases(std::begin(kHeadCases), std::end(kHeadCases));
  cases.push_back(odd);
  for (const Heads& h : cases) {
    AttentionInput scalar(h, h.n_q % 4), tiles(h, h.n_q % 4);
    scalar.run(*make_cpu_ops(1, "scalar"), false, true);
    tiles.run(*make_cpu_ops(1, available_tiers().back()), false, true);
    const auto truth =
        naive_attention(scalar.q, scalar.k, scalar.v, h, causal_ranges(h, false), 0.25, 0, rounded_to_bf16);
    for (const Guarded* out : {&scalar.out, &tiles.out}) {
      CHECK(out->intact());
      // A numerator may round to the other side of a tie.
      for (int64_t i = 0; i < h.n_q; ++i)
        for (int64_t c = 0; c < h.n_heads * h.d_head; ++c)
          CHECK_NEAR(out->at(i, c), truth[static_cast<size_t>(i * h.n_heads * h.d_head + c)], 1e-3);
    }
    each_backend([&](Ops& ops) {
      AttentionInput in(h, h.n_q % 4);
      in.run(ops, false, true);
      CHECK(in.out.same(ops.tier() == "amx" ? tiles.out : scalar.out));
    });
  }
}

TEST("attention in bf16: segments together and alone, keys with a bias, NaN stays in its segment; what it cannot do") {
  each_backend([](Ops& ops) {
    const Heads h{110, 150, 4, 2, 24};
    AttentionInput in(h, 0), alone(h, 0);
    Guarded bias(1, 150, 3);
    in.k.at(149, 0) = alone.k.at(149, 0) = NAN;
    const Tensor q = in.q.heads(4), k = in.k.heads(2), v = in.v.heads(2);
    const AttentionSegment segments[] = {{0, 10, k.slice(0, 50), v.slice(0, 50), false, bias.vector().slice(0, 50)},
                                         {10, 99, k.slice(50, 99), v.slice(50, 99), false},
                                         {109, 1, k.slice(149, 1), v.slice(149, 1), false}};
    ops.attention(q, segments, 0.2f, in.out.heads(4), true);
    for (const AttentionSegment& s : segments) {
      AttentionSegment own = s;
      own.q_begin = 0;
      ops.attention(q.slice(s.q_begin, s.n_q), {&own, 1}, 0.2f, alone.out.heads(4).slice(s.q_begin, s.n_q), true);
    }
    CHECK(same_bits(in.out.data(), alone.out.data(), 109 * 96));
    CHECK(std::isfinite(in.out.at(108, 95)) && std::isnan(in.out.at(109, 0)));

    const auto kv = ops.key_values(2, 24);
    kv->append(k, v);
    const AttentionSegment causal{0, 110, k, v, true}, cached{0, 110, *kv, {}, false},
        seeing{0, 1, k, v, false, {}, {{0, 2}}}, all{0, 110, k, v, false};
    for (const AttentionSegment& segment : {causal, cached, seeing})
      CHECK_THROWS(ErrorCode::kInternal, ops.attention(q, {&segment, 1}, 0.2f, in.out.heads(4), true));
    CHECK_THROWS(ErrorCode::kInternal, ops.attention(q, {&all, 1}, {0.2f, 1.0f}, in.out.heads(4), true));
  });
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

namespace {

// What rows of a prompt see: a window of some keys, and in the middle of the prompt, all of a picture's.
std::vector<KeyRange> windows(const Heads& h, int64_t width) {
  std::vector<KeyRange> ranges;
  const int64_t first = h.n_keys - h.n_q, picture_end = first + h.n_q * 2 / 3;
  for (int64_t i = 0; i < h.n_q; ++i) {
    const int64_t end = i >= h.n_q / 3 && first + i < picture_end ? picture_end : first + i + 1;
    ranges.push_back({std::max<int64_t>(0, first + i + 1 - width), end});
  }
  return ranges;
}

}  // namespace

TEST("attention: rows over their own keys, capped, for all heads and for each: double precision, tiers, row by row") {
  for (const Heads& h : kHeadCases)
    for (const int64_t width : {int64_t{1}, int64_t{37}, int64_t{1000}})
      for (const bool is_per_head : {false, true}) {
        std::vector<KeyRange> sees = windows(h, width);
        if (is_per_head)
          for (int64_t head = 1; head < h.n_kv_heads; ++head)
            for (const KeyRange& range : windows(h, width + head)) sees.push_back(range);
        const auto run = [&](Ops& ops, AttentionInput& in) {
          const AttentionSegment segment{0, h.n_q, in.k.heads(h.n_kv_heads), in.v.heads(h.n_kv_heads), true, {}, sees};
          ops.attention(in.q.heads(h.n_heads), {&segment, 1}, {0.25f, 3.0f}, in.out.heads(h.n_heads));
        };
        AttentionInput scalar(h, 0);
        run(*make_cpu_ops(1, "scalar"), scalar);
        const auto truth = naive_attention(scalar.q, scalar.k, scalar.v, h, sees, 0.25, 3);
        for (int64_t i = 0; i < h.n_q; ++i)
          for (int64_t c = 0; c < h.n_heads * h.d_head; ++c)
            CHECK_NEAR(scalar.out.at(i, c), truth[static_cast<size_t>(i * h.n_heads * h.d_head + c)], 1e-5);
        each_backend([&](Ops& ops) {
          AttentionInput in(h, 0), one(h, 0);
          run(ops, in);
          CHECK(in.out.same(scalar.out));
          for (int64_t i = 0; i < h.n_q; i += 7) {
            std::vector<KeyRange> of_row;
            for (int64_t at = i; at < std::ssize(sees); at += h.n_q) of_row.push_back(sees[static_cast<size_t>(at)]);
            const AttentionSegment row{0, 1, one.k.heads(h.n_kv_heads), one.v.heads(h.n_kv_heads), true, {}, of_row};
            const Tensor out = one.out.heads(h.n_heads).slice(i, 1);
            ops.attention(one.q.heads(h.n_heads).slice(i, 1), {&row, 1}, {0.25f, 3.0f}, out);
            CHECK(same_bits(&one.out.at(i, 0), &in.out.at(i, 0), h.n_heads * h.d_head));
          }
        });
      }
}

TEST("attention: over cached keys and values as over the same rows, bit for bit, whatever the pieces they came in") {
  for (const Heads& h : kHeadCases)
    each_backend([&](Ops& ops) {
      AttentionInput dense(h, 0), cached(h, 0);
      const Tensor k = dense.k.heads(h.n_kv_heads), v = dense.v.heads(h.n_kv_heads);
      const auto whole = ops.key_values(h.n_kv_heads, h.d_head), part = ops.key_values(h.n_kv_heads, h.d_head);
      const auto first = ops.key_values(h.n_kv_heads, h.d_head);
      for (int64_t begin = 0, n = 1; begin < h.n_keys; begin += n, n = n * 3 % 61) {
        n = std::min(n, h.n_keys - begin);
        whole->append(k.slice(begin, n), v.slice(begin, n));
      }
      // From another: all its rows, more by one, fewer again; and what that left, behind rows that do not fill a panel.
      first->append(*whole, 0, h.n_keys);
      first->append(*whole, h.n_keys - 1, 1);
      first->drop_last(1);
      const int64_t begin = h.n_keys / 3;
      part->append(*first, 0, begin);
      part->append(*first, begin, h.n_keys - begin);
      first->shrink();
      const std::vector<KeyRange> seen = windows(h, 37);
      for (const KeyValues* kv : {whole.get(), part.get(), first.get()})
        for (const std::vector<KeyRange>& sees : {std::vector<KeyRange>{}, seen}) {
          const AttentionSegment of_rows{0, h.n_q, k, v, true, {}, sees}, of_cache{0, h.n_q, *kv, {}, true, {}, sees};
          ops.attention(dense.q.heads(h.n_heads), {&of_rows, 1}, 0.25f, dense.out.heads(h.n_heads));
          ops.attention(cached.q.heads(h.n_heads), {&of_cache, 1}, 0.25f, cached.out.heads(h.n_heads));
          CHECK(cached.out.same(dense.out));
          Guarded mass(h.n_heads, h.n_keys, 63), cached_mass(h.n_heads, h.n_keys, 63);
          ops.attention_mass(dense.q.heads(h.n_heads), k, 0.25f, seen, mass.tensor());
          ops.attention_mass(dense.q.heads(h.n_heads), *kv, 0.25f, seen, cached_mass.tensor());
          CHECK(cached_mass.same(mass));
        }
    });
}

TEST("KeyValues: rows that stay, of all heads or of each; what is not there or not alike is refused") {
  each_backend([](Ops& ops) {
    const Heads h{3, 70, 4, 2, 20};
    AttentionInput dense(h, 0), cached(h, 0);
    const Tensor k = dense.k.heads(2), v = dense.v.heads(2);
    const std::vector<int32_t> even{0, 2, 15, 16, 40, 69}, odd{1, 3, 17, 18, 33, 68};
    for (const auto& lists : {std::vector<std::vector<int32_t>>{even}, std::vector<std::vector<int32_t>>{even, odd}}) {
      const auto kv = ops.key_values(2, 20);
      kv->append(k, v);
      kv->keep(lists);
      CHECK_EQ(kv->rows(), int64_t{6});
      // The same rows, head by head.
      Guarded kept_k(6, 2 * 20, 1), kept_v(6, 2 * 20, 1);
      for (int64_t row = 0; row < 6; ++row)
        for (int64_t c = 0; c < 40; ++c) {
          const int32_t from = lists[c < 20 ? 0 : lists.size() - 1][static_cast<size_t>(row)];
          kept_k.at(row, c) = dense.k.at(from, c);
          kept_v.at(row, c) = dense.v.at(from, c);
        }
      const AttentionSegment of_rows{0, 3, kept_k.heads(2), kept_v.heads(2), true}, of_cache{0, 3, *kv, {}, true};
      ops.attention(dense.q.heads(4), {&of_rows, 1}, 0.25f, dense.out.heads(4));
      ops.attention(cached.q.heads(4), {&of_cache, 1}, 0.25f, cached.out.heads(4));
      CHECK(cached.out.same(dense.out));
      CHECK_THROWS(ErrorCode::kInternal, kv->drop_last(7));
      for (const std::vector<int32_t>& wrong : {std::vector<int32_t>{1, 1}, {2, 1}, {0, 6}})
        CHECK_THROWS(ErrorCode::kInternal, kv->keep({&wrong, 1}));
      CHECK_THROWS(ErrorCode::kInternal, kv->append(*kv, 0, 1));
      CHECK_THROWS(ErrorCode::kInternal, kv->append(*ops.key_values(2, 20), 0, 1));
      CHECK_THROWS(ErrorCode::kInternal, kv->append(*ops.key_values(1, 20), 0, 0));
      CHECK_THROWS(ErrorCode::kInternal, kv->append(k, dense.v.heads(4)));
    }
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

TEST("attention_mass: against double precision, each row over the keys it sees, summed over rows") {
  each_backend([](Ops& ops) {
    for (const Heads& h : kHeadCases) {
      Guarded q(h.n_q, h.n_heads * h.d_head, 61, 2, 2.0f), k(h.n_keys, h.n_kv_heads * h.d_head, 62, 1);
      Guarded out(h.n_heads, h.n_keys, 63, 7);
      std::vector<KeyRange> sees;
      for (int64_t i = 0; i < h.n_q; ++i) {
        const int64_t end = 1 + (i * 13 + h.n_keys - 1) % h.n_keys;
        sees.push_back({end * (i % 3) / 4, end});
      }
      ops.attention_mass(q.heads(h.n_heads), k.heads(h.n_kv_heads), 0.25f, sees, out.tensor());
      CHECK(out.intact());
      for (int64_t head = 0; head < h.n_heads; ++head) {
        std::vector<double> mass(static_cast<size_t>(h.n_keys), 0.0);
        for (int64_t i = 0; i < h.n_q; ++i) {
          std::vector<double> p;
          const auto [begin, end] = sees[static_cast<size_t>(i)];
          for (int64_t j = begin; j < end; ++j) {
            double dot = 0;
            for (int64_t c = 0; c < h.d_head; ++c)
              dot += double{q.at(i, head * h.d_head + c)} * k.at(j, head * h.n_kv_heads / h.n_heads * h.d_head + c);
            p.push_back(std::exp(dot * 0.25));
          }
          const double sum = std::accumulate(p.begin(), p.end(), 0.0);
          for (size_t j = 0; j < p.size(); ++j) mass[static_cast<size_t>(begin) + j] += p[j] / sum;
        }
        double total = 0;
        for (int64_t j = 0; j < h.n_keys; ++j) {
          CHECK_NEAR(out.at(head, j), mass[static_cast<size_t>(j)], 2e-5 * mass[static_cast<size_t>(j)] + 1e-6);
          total += out.at(head, j);
        }
        CHECK_NEAR(total, static_cast<double>(h.n_q), 1e-4 * static_cast<double>(h.n_q));
      }
    }
  });
}

TEST("A key that stands for several rows weighs as much as they do") {
  each_backend([](Ops& ops) {
    // Key 2 twice, against key 2 once with a bias of log 2.
    Guarded q(5, 2 * 8, 71), k(4, 8, 72), v(4, 8, 73), k3(3, 8, 72), v3(3, 8, 73), bias(1, 3, 74), out(5, 2 * 8, 75),
        expected(5, 2 * 8, 76);
    for (int64_t c = 0; c < 8; ++c) {
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t from = std::min<int64_t>(j, 2);
        k.at(j, c) = k3.at(from, c);
        v.at(j, c) = v3.at(from, c);
      }
    }
    bias.at(0, 0) = bias.at(0, 1) = 0;
    bias.at(0, 2) = std::log(2.0f);
    const Tensor log_sizes(bias.tensor().data, DType::kF32, Device::kCpu, {3});
    const AttentionSegment doubled{0, 5, k.heads(1), v.heads(1), false};
    const AttentionSegment weighed{0, 5, k3.heads(1), v3.heads(1), false, log_sizes};
    ops.attention(q.heads(2), {&doubled, 1}, 0.3f, expected.heads(2));
    ops.attention(q.heads(2), {&weighed, 1}, 0.3f, out.heads(2));
    for (int64_t i = 0; i < 5; ++i)
      for (int64_t c = 0; c < 16; ++c) CHECK_NEAR(out.at(i, c), expected.at(i, c), 1e-5);
  });
}

}  // namespace fovea::test
