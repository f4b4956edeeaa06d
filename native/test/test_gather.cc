// The primitives that touch rows of a stream: gather moves them, probe ranks them.
#include <numeric>

#include "prune/attention_mass.h"
#include "prune/gather.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

using Rows = std::vector<int32_t>;
using KeepLists = std::vector<Rows>;

// What every row of a stream is: its hidden numbers can be traced back to a row of the stream it came from.
std::vector<std::vector<float>> rows_of(Ops& ops, const RowStream& stream) {
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < stream.hidden.rows(); ++i) rows.push_back(on_host(ops, stream.hidden.slice(i, 1)));
  return rows;
}

struct GatherCase {
  std::unique_ptr<Ops> ops = make_cpu_ops(2, "auto");
  // Text before, between and behind two images; another prompt before and one behind.
  TestStream made{*ops, 5, {{3, {}}, {20, {{2, 6}, {11, 5}}}, {7, {{0, 4}}}}};
  RowStream& stream = made.stream;
  std::vector<std::vector<float>> before = rows_of(*ops, stream);
};

}  // namespace

TEST("gather: rows, origins, spans and later sequences move together") {
  for (const Positions policy : {Positions::kCompact, Positions::kOriginal}) {
    GatherCase c;
    gather(*c.ops, c.stream, 1, KeepLists{{1, 4}, {0, 3, 4}}, policy);
    // Rows of the whole stream that must be left.
    const Rows expected = {0, 1, 2, 3, 4, 6, 9, 11, 12, 13, 14, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29};
    const auto after = rows_of(*c.ops, c.stream);
    REQUIRE(after.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) CHECK(after[i] == c.before[static_cast<size_t>(expected[i])]);

    const Sequence& s = c.stream.sequences[1];
    CHECK_EQ(s.begin, 3);
    CHECK_EQ(s.count, 14);
    const Rows origin = {0, 1, 3, 6, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19};
    CHECK(s.origin == origin);
    CHECK_EQ(s.spans[0].begin, 2);
    CHECK_EQ(s.spans[0].count, 2);
    CHECK_EQ(s.spans[0].origin_begin, 2);
    CHECK_EQ(s.spans[0].decoder_rows, 6);
    CHECK_EQ(s.spans[1].begin, 7);
    CHECK_EQ(s.spans[1].count, 3);
    CHECK_EQ(s.spans[1].origin_begin, 11);
    CHECK_EQ(c.stream.sequences[2].begin, 17);
    CHECK_EQ(c.stream.sequences[2].count, 7);

    REQUIRE(c.stream.positions.size() == expected.size());
    for (int32_t i = 0; i < 14; ++i)
      CHECK_EQ(c.stream.positions[static_cast<size_t>(3 + i)].time,
               policy == Positions::kCompact ? i : origin[static_cast<size_t>(i)]);
    for (int32_t i = 0; i < 7; ++i) CHECK_EQ(c.stream.positions[static_cast<size_t>(17 + i)].time, i);
    for (int32_t i = 0; i < 3; ++i) CHECK_EQ(c.stream.positions[static_cast<size_t>(i)].time, i);
  }
}

TEST("gather twice: origins still name rows of the unpruned prompt") {
  GatherCase c;
  gather(*c.ops, c.stream, 1, KeepLists{{0, 2, 4, 5}, {1, 2, 3}}, Positions::kCompact);
  gather(*c.ops, c.stream, 1, KeepLists{{1, 3}, {0, 2}}, Positions::kCompact);
  const Rows origin = {0, 1, 4, 7, 8, 9, 10, 12, 14, 16, 17, 18, 19};
  const Sequence& s = c.stream.sequences[1];
  CHECK(s.origin == origin);
  const auto after = rows_of(*c.ops, c.stream);
  for (size_t i = 0; i < origin.size(); ++i) CHECK(after[3 + i] == c.before[static_cast<size_t>(3 + origin[i])]);
  for (size_t i = 0; i < 7; ++i) CHECK(after[3 + origin.size() + i] == c.before[23 + i]);
}

TEST("gather: keeping all changes nothing; dropping a whole image leaves an empty span") {
  GatherCase c;
  const Rows all6 = {0, 1, 2, 3, 4, 5}, all5 = {0, 1, 2, 3, 4};
  gather(*c.ops, c.stream, 1, KeepLists{all6, all5}, Positions::kCompact);
  CHECK(rows_of(*c.ops, c.stream) == c.before);
  gather(*c.ops, c.stream, 1, KeepLists{{}, all5}, Positions::kCompact);
  const Sequence& s = c.stream.sequences[1];
  CHECK_EQ(s.spans[0].count, 0);
  CHECK_EQ(s.spans[1].begin, 5);
  CHECK_EQ(s.count, 14);
  CHECK(rows_of(*c.ops, c.stream)[5] == c.before[11]);
}

TEST("gather refuses keep lists that are not ascending rows of their span") {
  for (const KeepLists& lists :
       {KeepLists{{1, 1}, {0}}, KeepLists{{3, 2}, {0}}, KeepLists{{-1}, {0}}, KeepLists{{6}, {0}}, KeepLists{{0}},
        KeepLists{{0}, {5}}, KeepLists{{0}, {0}, {0}}, KeepLists{{0, 1, 2, 3, 4, 4}, {0, 1, 2, 3, 4}}}) {
    GatherCase c;
    CHECK_THROWS(ErrorCode::kInternal, gather(*c.ops, c.stream, 1, lists, Positions::kCompact));
  }
}

TEST("probe equals a naive softmax in double precision, mean over heads and probing rows") {
  struct Heads {
    int64_t n_heads, n_kv_heads, d_head, n_probe, n_keys;
  };
  for (const Heads& h : {Heads{4, 4, 8, 1, 37}, {8, 2, 6, 1, 100}, {6, 1, 16, 3, 20}, {2, 2, 4, 1, 1}}) {
    Guarded q(h.n_probe, h.n_heads * h.d_head, 21, 0, 3.0F), k(h.n_keys, h.n_kv_heads * h.d_head, 22, 0, 2.0F);
    const double scale = 1 / std::sqrt(static_cast<double>(h.d_head));
    std::vector<double> expected(static_cast<size_t>(h.n_keys), 0.0);
    for (int64_t i = 0; i < h.n_probe; ++i)
      for (int64_t head = 0; head < h.n_heads; ++head) {
        std::vector<double> p;
        for (int64_t j = 0; j < h.n_keys; ++j) {
          double dot = 0;
          for (int64_t c = 0; c < h.d_head; ++c)
            dot += double{q.at(i, head * h.d_head + c)} * k.at(j, head / (h.n_heads / h.n_kv_heads) * h.d_head + c);
          p.push_back(std::exp(dot * scale));
        }
        const double sum = std::accumulate(p.begin(), p.end(), 0.0);
        for (size_t j = 0; j < p.size(); ++j) expected[j] += p[j] / sum / static_cast<double>(h.n_heads * h.n_probe);
      }
    const auto ops = make_cpu_ops(2, "auto");
    const std::vector<KeyRange> sees(static_cast<size_t>(h.n_probe), {0, h.n_keys});
    std::vector<float> got =
        attention_mass(*ops, q.heads(h.n_heads), k.heads(h.n_kv_heads), static_cast<float>(scale), sees)
            .mean_over_heads();
    for (float& mass : got) mass /= static_cast<float>(h.n_probe);
    REQUIRE(got.size() == expected.size());
    for (size_t j = 0; j < got.size(); ++j) CHECK_NEAR(got[j], expected[j], 1e-6 + 1e-5 * expected[j]);
    CHECK_NEAR(std::accumulate(got.begin(), got.end(), 0.0), 1, 1e-5);
  }
}

}  // namespace fovea::test
