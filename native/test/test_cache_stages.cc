// The KV cache under compaction: what stays is bit for bit what was there, decoding reads it at true positions, memory
// comes back; and the steps that decide what stays.
#include <numeric>

#include "engine/steps.h"
#include "prune/compact.h"
#include "prune/prefix_search.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;

std::string plan_of(const std::string& stages) {
  return R"({"positions":"compact","skip":[],"stages":[)" + stages + "]}";
}
std::string stage(const std::string& hook, const std::string& steps) {
  return R"({"name":"s","hook":")" + hook + R"(","steps":[)" + steps + "]}";
}
const std::string kMass = R"({"do":"mass","queries":"all","heads":"kv","to":"m"})";
const std::string kAddMass = R"({"do":"mass","queries":"all","heads":"kv","add":true,"to":"m"})";
const std::string kTopK = R"({"do":"select","by":"topK","score":"m","quota":"q","last":2,"to":"r"})";
const std::string kCompact = R"({"do":"compact","rows":"r"})";
std::string share(const std::string& amount) { return R"({"do":"allocate","by":"share",)" + amount + R"(,"to":"q"})"; }
std::string prefilled(const std::string& amount) {
  return stage("prefilled", kMass + "," + share(amount) + "," + kTopK + "," + kCompact);
}
std::string decoding(const std::string& amount) {
  return stage("decode-step", kAddMass + "," + share(amount) + "," + kTopK + "," + kCompact);
}

// A prompt that ran under a plan, ready to decode.
struct Prompted {
  TinyDecoder tiny;
  Session session;
  DeviceArray hidden, logits;

  explicit Prompted(const std::string& plan, const TestStream::Prompt& prompt = {40, {{5, 20}}})
      : tiny(TinyShape{}),
        session(tiny.ops(), tiny.decoder().config(), parse_plan(plan, {tiny.decoder().config().n_layers, 0}), true) {
    TestStream rows(tiny.ops(), tiny.decoder().config().d_model, {prompt});
    Session* sessions[] = {&session};
    prefill(tiny.model, sessions, rows.stream, {}, kNever);
  }

  std::vector<float> step(int32_t id) {
    Session* sessions[] = {&session};
    const Tensor out = logits.resize(tiny.ops(), {1, tiny.decoder().config().vocab});
    decode_step(tiny.model, sessions, {&id, 1}, hidden, out);
    return on_host(tiny.ops(), out);
  }
};

// Heads of rows, (rows, n_heads, d_head) on the host.
std::vector<float> head_rows(const std::vector<float>& all, const RowSet& rows, size_t head, const TinyShape& shape) {
  const auto d = static_cast<size_t>(shape.d_head), n_heads = static_cast<size_t>(shape.n_kv_heads);
  std::vector<float> out;
  for (int32_t row : rows) {
    const auto at = all.begin() + static_cast<int64_t>((static_cast<size_t>(row) * n_heads + head) * d);
    out.insert(out.end(), at, at + static_cast<int64_t>(d));
  }
  return out;
}

}  // namespace

TEST("KvCache keeps rows of all heads, or of each, bit for bit, and gives memory back") {
  const TinyShape shape;
  for (const std::vector<RowSet>& lists : {std::vector<RowSet>{{0, 7, 39}}, {{1, 2, 30}, {0, 5, 38}}}) {
    Prompted whole(""), cut("");
    KvCache& cache = cut.session.cache;
    const size_t before = cache.bytes();
    for (int layer = 0; layer < shape.n_layers; ++layer) {
      cache.keep(layer, lists);
      CHECK_EQ(cache.length(layer), 3);
      CHECK_EQ(cache.seen(layer), 40);
      const RowSet all{0, 1, 2};
      for (size_t head = 0; head < 2; ++head) {
        const RowSet& rows = lists[head % lists.size()];
        CHECK(same_floats(head_rows(cached_keys(cache, layer), all, head, shape),
                          head_rows(cached_keys(whole.session.cache, layer), rows, head, shape)));
        CHECK(same_floats(head_rows(cached_values(cache, layer), all, head, shape),
                          head_rows(cached_values(whole.session.cache, layer), rows, head, shape)));
      }
    }
    CHECK_EQ(cache.bytes(), before);
    cache.shrink();  // room for 3 + 64 and 40 + 64 rows, in whole panels
    CHECK_EQ(cache.bytes(), before * 80 / 112);
    const std::vector<RowSet> three(3), uneven{{0, 1}, {0}};
    CHECK_THROWS(ErrorCode::kInternal, cache.keep(0, three));
    CHECK_THROWS(ErrorCode::kInternal, cache.keep(0, uneven));
  }
}

TEST("Keeping everything changes no bit while decoding, whatever the stages on the cache") {
  Prompted plain(""), kept(plan_of(prefilled(R"("ratio":1)") + "," + decoding(R"("ratio":1)")));
  for (int32_t id = 0; id < 12; ++id) CHECK(same_floats(plain.step(id), kept.step(id)));
  REQUIRE(kept.session.stages.size() == 2);
  for (const StageReport::Layer& layer : kept.session.stages[1].layers) {
    CHECK_EQ(layer.rows_in, 52);
    CHECK_EQ(layer.rows_out, 52);
  }
}

TEST("Compaction at prefilled: rows per layer, memory, positions; decoding appends behind") {
  Prompted plain(""), cut(plan_of(prefilled(R"("ratio":0.26)")));
  const Session& session = cut.session;
  CHECK(session.cache.bytes() < plain.session.cache.bytes());
  CHECK(session.next_position == plain.session.next_position);
  REQUIRE(session.stages.size() == 1);
  CHECK_EQ(session.stages[0].hook, "prefilled");
  for (const StageReport::Layer& layer : session.stages[0].layers) {
    CHECK_EQ(layer.rows_in, 40);
    CHECK_EQ(layer.rows_out, 10);
    REQUIRE(layer.kept.size() == 2);
    for (const RowSet& head : layer.kept) {
      CHECK_EQ(head.size(), size_t{10});
      CHECK_EQ(head[8], 38);
      CHECK_EQ(head[9], 39);
    }
    CHECK(layer.kept[0] != layer.kept[1]);
  }
  CHECK(!same_floats(plain.step(3), cut.step(3)));
  CHECK_EQ(session.cache.length(0), 11);
  CHECK(session.next_position == plain.session.next_position);
}

TEST("Compaction at decode-step holds the cache to its budget") {
  Prompted fixed(plan_of(prefilled(R"("count":12)") + "," + decoding(R"("count":12)")));
  Prompted growing(plan_of(prefilled(R"("ratio":0.5)") + "," + decoding(R"("ratio":0.5)")));
  for (int32_t id = 0; id < 10; ++id) {
    fixed.step(id);
    growing.step(id);
    for (int layer = 0; layer < 4; ++layer) {
      CHECK_EQ(fixed.session.cache.length(layer), 12);
      CHECK_EQ(growing.session.cache.length(layer), (40 + id + 1) / 2);
    }
  }
  CHECK_EQ(fixed.session.stages[1].layers[0].rows_in, 22);
  CHECK_EQ(fixed.session.stages[1].layers[0].rows_out, 12);
}

TEST("Sessions that decode together compact as each one alone, bit for bit") {
  const std::string plan = plan_of(prefilled(R"("ratio":0.5)") + "," + decoding(R"("ratio":0.5)"));
  Prompted first(plan), second(plan, {25, {}}), alone(plan), alone_too(plan, {25, {}});
  Session* sessions[] = {&second.session, &first.session};
  for (int32_t id = 0; id < 4; ++id) {
    const int32_t ids[] = {id + 9, id};
    const Tensor out = first.logits.resize(first.tiny.ops(), {2, first.tiny.decoder().config().vocab});
    decode_step(first.tiny.model, sessions, ids, first.hidden, out);
    CHECK(same_floats(on_host(first.tiny.ops(), out.slice(0, 1)), alone_too.step(id + 9)));
    CHECK(same_floats(on_host(first.tiny.ops(), out.slice(1, 1)), alone.step(id)));
  }
}

TEST("A layer that does not attend holds no rows and loses none") {
  const std::string skip = R"({"layer":1,"part":"attention","phase":"both"})";
  Prompted cut(R"({"positions":"compact","skip":[)" + skip + R"(],"stages":[)" + prefilled(R"("ratio":0.5)") + "," +
               decoding(R"("ratio":0.5)") + "]}");
  cut.step(1);
  CHECK_EQ(cut.session.cache.length(1), 0);
  CHECK_EQ(cut.session.cache.length(2), 20);
}

TEST("compact carries scores along, also from all heads to each") {
  Prompted prompted("");
  CacheState state{std::vector<CacheLayer>(4), {}, {}};
  Scores ascending(40);
  std::iota(ascending.begin(), ascending.end(), 0.0F);
  state.scores.set("all", std::vector<Scores>(4, ascending));
  state.scores.set("short", std::vector<Scores>(4, Scores(39, 1.0F)));  // a row came since
  std::vector<RowSet> rows;
  for (int layer = 0; layer < 4; ++layer) {
    rows.push_back({0, 3, 39});
    rows.push_back({1, 2, 38});
  }
  compact(prompted.session.cache, state, rows);
  REQUIRE(state.scores.get("all").size() == 8);
  CHECK(state.scores.get("all")[6] == (Scores{0, 3, 39}));
  CHECK(state.scores.get("all")[7] == (Scores{1, 2, 38}));
  CHECK(state.scores.get("short")[0] == (Scores{1, 1, 0}));
}

TEST("prefix_search: the example of the specification, and its ends") {
  Scores even(41, 1.0F), steep;
  for (int j = 0; j < 41; ++j) steep.push_back(std::ldexp(1.0F, -j));
  const std::vector<Scores> both{even, steep};
  CHECK(prefix_search(both, 0.5, 2) == (std::vector<int64_t>{7, 33}));
  CHECK(prefix_search(both, 0, 2) == (std::vector<int64_t>{0, 0}));
  const std::vector<Scores> ragged{even, {}, {1.0F}, Scores(30, 0.0F)};
  const std::vector<int64_t> forget = prefix_search(ragged, 0.9, 2);
  CHECK_EQ(forget[1], 0);
  CHECK_EQ(forget[2], 0);
  CHECK(forget[0] <= 39 && forget[3] <= 28);
  CHECK_THROWS(ErrorCode::kNumeric, prefix_search(std::vector<Scores>{{1.0F, NAN}}, 0.5, 2));
}

TEST("PrefixKV's rule while decoding: a layer above its share loses its slot, one row per step") {
  const std::string evict = kMass + R"(,{"do":"allocate","by":"evict","evict":[0,0.5,0.8,1],"protect":2,"to":"q"},)" +
                            R"({"do":"select","by":"topK","score":"m","quota":"q","first":1,"last":1,"to":"r"},)" +
                            kCompact;
  const std::string slot = R"({"do":"select","by":"slot","quota":"q","behind":25,"to":"r"},)" + kCompact;
  Prompted cut(plan_of(stage("prefilled", evict) + "," + stage("decode-step", slot)));
  const auto lengths = [&] {
    std::vector<int64_t> all;
    for (int layer = 0; layer < 4; ++layer) all.push_back(cut.session.cache.length(layer));
    return all;
  };
  CHECK(lengths() == (std::vector<int64_t>{40, 20, 8, 2}));
  for (const StageReport::Layer& layer : cut.session.stages[0].layers)
    for (const RowSet& head : layer.kept) CHECK(head.front() == 0 && head.back() == 39);
  cut.step(1);  // 41 rows: 20.5 and 8.2 are allowed
  CHECK(lengths() == (std::vector<int64_t>{41, 21, 9, 2}));
  cut.step(2);  // 42: 21 and 8.4
  CHECK(lengths() == (std::vector<int64_t>{42, 21, 9, 2}));
}

TEST("parse_plan refuses steps on the cache that make no sense") {
  const std::string quota = share(R"("ratio":0.5)");
  const std::vector<std::pair<const char*, std::string>> refused{
      {"a row step at prefilled", stage("prefilled", R"({"do":"probe","queries":"last","to":"a"})")},
      {"a cache step at projected", stage("projected", kMass)},
      {"prefilled after decode-step", stage("decode-step", "") + "," + stage("prefilled", "")},
      {"scores that nobody made", stage("prefilled", quota + "," + kTopK)},
      {"a quota that nobody made", stage("prefilled", kMass + "," + kTopK)},
      {"rows that are gone", stage("prefilled", kMass + "," + quota + "," + kTopK + "," + kCompact + "," + kCompact)},
      {"adding to nothing", stage("decode-step", kAddMass)},
      {"heads missing", stage("prefilled", R"({"do":"mass","queries":"all","to":"m"})")},
      {"a window while decoding", stage("decode-step", R"({"do":"mass","queries":"last","heads":"kv","to":"m"})")},
      {"a window of 0", stage("prefilled", R"({"do":"mass","queries":"last","window":0,"heads":"kv","to":"m"})")},
      {"an even kernel", stage("prefilled", kMass + R"(,{"do":"pool","score":"m","kernel":4,"to":"p"})")},
      {"ratio and count", stage("prefilled", share(R"("ratio":0.5,"count":3)"))},
      {"a ratio above 1", stage("prefilled", share(R"("ratio":1.5)"))},
      {"a count of 0", stage("prefilled", share(R"("count":0)"))},
      {"ratios for too few layers",
       stage("prefilled", R"({"do":"allocate","by":"evict","evict":[0.5],"protect":2,"to":"q"})")},
      {"ratios that are none",
       stage("prefilled", R"({"do":"allocate","by":"evict","evict":[0,0,0,"1"],"protect":2,"to":"q"})")},
      {"sparsity while decoding",
       stage("decode-step",
             R"({"do":"allocate","by":"sparsity","queries":"all","ratio":0.5,"below":0.01,"least":0,"to":"q"})")},
  };
  for (const auto& [what, stages] : refused) {
    try {
      parse_plan(plan_of(stages), {4, 6});
      fail(__FILE__, __LINE__, std::string("accepted: ") + what);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kPlan) fail(__FILE__, __LINE__, std::string(what) + ": " + error.what());
    }
  }
}

}  // namespace fovea::test
