// Plans on a decoder, through the steps that the engine uses: rows and position ids per layer, and what must not
// change.
#include <algorithm>

#include "engine/hooks.h"
#include "engine/steps.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

std::string drop_at(int layer, double ratio) {
  return R"({"name":"pyramidDrop","hook":"decoder-layer","layer":)" + std::to_string(layer) +
         R"(,"steps":[{"do":"probe","queries":"last","to":"a"},{"do":"select","by":"topK","score":"a","to":"k","keep":{"ratio":)" +
         std::to_string(ratio) + R"(,"of":"decoder","rounding":"trunc"}},{"do":"gather","rows":"k"}]})";
}

std::string pyramid(const std::string& positions, const std::string& before = "", const std::string& skip = "") {
  return R"({"positions":")" + positions + R"(","stages":[)" + before + drop_at(8, 0.5) + "," + drop_at(16, 0.25) +
         "," + drop_at(24, 0.125) + R"(],"skip":[)" + skip + "]}";
}

// 32 layers of very little: what counts here is how many rows they see.
constexpr TinyShape kDeep{
    .n_layers = 32, .d_model = 8, .n_heads = 2, .n_kv_heads = 1, .d_head = 4, .d_ff = 8, .vocab = 10};

const std::atomic<bool> kNever = false;

// Decodes one token as decode_step does, and writes down the position id at every layer.
class PositionsHook final : public LayerHook {
 public:
  explicit PositionsHook(std::span<Session* const> sessions) : hook_(sessions) {}
  void before_layer(int layer, RowStream& stream) override {
    hook_.before_layer(layer, stream);
    seen.push_back(stream.positions);
  }
  SubLayers sub_layers(int layer) const override { return hook_.sub_layers(layer); }
  std::vector<std::vector<Position>> seen;  // (n_layers, n_sessions)

 private:
  DecodeHook hook_;
};

std::vector<std::vector<Position>> decode_positions(TinyDecoder& tiny, const std::vector<Session*>& sessions) {
  const auto n = static_cast<int64_t>(sessions.size());
  DeviceArray memory;
  RowStream stream;
  stream.hidden = memory.resize(tiny.ops(), {n, kDeep.d_model});
  stream.positions.resize(sessions.size());
  tiny.decoder().embed(std::vector<int32_t>(sessions.size(), 1), stream.hidden);
  std::vector<KvCache*> caches;
  for (int64_t i = 0; i < n; ++i) {
    stream.sequences.push_back({i, 1, {}, {}});
    caches.push_back(&sessions[static_cast<size_t>(i)]->cache);
  }
  PositionsHook hook(sessions);
  tiny.decoder().forward(stream, caches, hook, kNever);
  return hook.seen;
}

struct Run {
  TestStream input;
  Session session;
  Run(TinyDecoder& tiny, const std::string& plan, const std::vector<TestStream::Image>& images, int64_t rows = 640)
      : input(tiny.ops(), tiny.decoder().config().d_model, {{rows, images}}),
        session(tiny.ops(), tiny.decoder().config(), parse_plan(plan, tiny.model.plan_bounds()), true) {
    Session* sessions[] = {&session};
    CHECK(prefill(tiny.model, sessions, input.stream, {}, kNever));
  }
};

int64_t quarter(int layer, const std::array<int64_t, 4>& values) { return values[static_cast<size_t>(layer / 8)]; }

}  // namespace

TEST("PyramidDrop on 32 layers: rows per layer 640, 352, 208, 136") {
  TinyDecoder tiny(kDeep);
  Run run(tiny, pyramid("compact"), {{35, 576}});
  for (int layer = 0; layer < 32; ++layer)
    CHECK_EQ(run.session.cache.length(layer), quarter(layer, {640, 352, 208, 136}));
  CHECK_EQ(run.input.stream.hidden.rows(), 136);
  CHECK_EQ(run.input.stream.sequences[0].spans[0].count, 72);
  REQUIRE(run.session.stages.size() == 3);
  const int64_t in[] = {576, 288, 144}, out[] = {288, 144, 72};
  for (size_t s = 0; s < 3; ++s) {
    const StageReport& stage = run.session.stages[s];
    CHECK_EQ(stage.layer, static_cast<int>(8 * (s + 1)));
    CHECK_EQ(stage.images[0].rows_in, in[s]);
    CHECK_EQ(stage.images[0].rows_out, out[s]);
    CHECK_EQ(static_cast<int64_t>(stage.images[0].kept.size()), out[s]);
    CHECK(std::is_sorted(stage.images[0].kept.begin(), stage.images[0].kept.end()));
    if (s > 0) {
      const auto& before = run.session.stages[s - 1].images[0].kept;
      CHECK(std::includes(before.begin(), before.end(), stage.images[0].kept.begin(), stage.images[0].kept.end()));
    }
  }
}

TEST("PyramidDrop decodes at positions 640, 352, 208, 136, then one further") {
  TinyDecoder tiny(kDeep);
  Run run(tiny, pyramid("compact"), {{35, 576}});
  for (int step = 0; step < 3; ++step) {
    const auto positions = decode_positions(tiny, {&run.session});
    REQUIRE(positions.size() == 32);
    for (int layer = 0; layer < 32; ++layer) {
      CHECK_EQ(positions[static_cast<size_t>(layer)][0].time, quarter(layer, {640, 352, 208, 136}) + step);
      CHECK_EQ(run.session.cache.length(layer), quarter(layer, {640, 352, 208, 136}) + step + 1);
    }
  }
}

TEST("Original positions decode at the prompt's length in every layer") {
  TinyDecoder tiny(kDeep);
  Run run(tiny, pyramid("original"), {{35, 576}});
  const std::vector<int32_t>& origin = run.input.stream.sequences[0].origin;
  CHECK(run.input.stream.positions == std::vector<Position>(origin.begin(), origin.end()));
  CHECK_EQ(run.input.stream.positions.back().time, 639);
  for (int step = 0; step < 2; ++step)
    for (const auto& positions : decode_positions(tiny, {&run.session})) CHECK_EQ(positions[0].time, 640 + step);
}

TEST("DivPrune, then PyramidDrop of what it left, with two FFNs and an attention skipped") {
  TinyDecoder tiny(kDeep);
  const std::string div =
      R"({"name":"divPrune","hook":"projected","steps":[{"do":"select","by":"maxMin","features":"hidden","to":"k","keep":)"
      R"({"ratio":0.222,)"
      R"("of":"stage","rounding":"half-even"}},{"do":"gather","rows":"k"}]},)";
  const std::string skip = R"({"layer":6,"part":"ffn","phase":"both"},{"layer":7,"part":"ffn","phase":"both"},)"
                           R"({"layer":9,"part":"attention","phase":"both"})";
  Run run(tiny, pyramid("compact", div, skip), {{35, 576}});
  for (int layer = 0; layer < 32; ++layer)  // 64 rows of text; 128 visual ones, and 64, 32, 16 of them
    CHECK_EQ(run.session.cache.length(layer), layer == 9 ? 0 : quarter(layer, {192, 128, 96, 80}));
  const auto positions = decode_positions(tiny, {&run.session});
  for (int layer = 0; layer < 32; ++layer)
    CHECK_EQ(positions[static_cast<size_t>(layer)][0].time, quarter(layer, {192, 128, 96, 80}));
}

TEST("Several images share nothing: each keeps its own budget") {
  TinyDecoder tiny(kDeep);
  Run run(tiny, pyramid("compact"), {{3, 100}, {103, 33}, {200, 8}}, 250);
  const auto& images = run.session.stages[2].images;
  REQUIRE(images.size() == 3);
  CHECK_EQ(images[0].rows_out, 12);
  CHECK_EQ(images[1].rows_out, 4);
  CHECK_EQ(images[2].rows_out, 1);
  CHECK_EQ(run.session.cache.length(31), 250 - 141 + 17);
}

TEST("A text-only prompt passes every stage untouched") {
  TinyDecoder tiny(kDeep);
  Run pruned(tiny, pyramid("compact"), {}, 50), plain(tiny, "", {}, 50);
  CHECK(same_floats(on_host(tiny.ops(), pruned.input.stream.hidden), on_host(tiny.ops(), plain.input.stream.hidden)));
  CHECK_EQ(pruned.session.stages.size(), size_t{3});
  CHECK(pruned.session.stages[0].images.empty());
}

TEST("Keeping every row leaves every bit as it was, through prefill and decode") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  std::string stages;
  for (int layer = 1; layer < shape.n_layers; ++layer) stages += (layer == 1 ? "" : ",") + drop_at(layer, 1.0);
  for (const char* positions : {"compact", "original"}) {
    const std::string keep_all =
        R"({"positions":")" + std::string(positions) + R"(","stages":[)" + stages + R"(],"skip":[]})";
    Run kept(tiny, keep_all, {{4, 30}}, 47), plain(tiny, "", {{4, 30}}, 47);
    CHECK(same_floats(on_host(tiny.ops(), kept.input.stream.hidden), on_host(tiny.ops(), plain.input.stream.hidden)));
    DeviceArray hidden, kept_logits, plain_logits;
    const int32_t ids[] = {5};
    for (int step = 0; step < 3; ++step) {
      Session *with[] = {&kept.session}, *without[] = {&plain.session};
      decode_step(tiny.model, with, ids, hidden, kept_logits.resize(tiny.ops(), {1, shape.vocab}));
      decode_step(tiny.model, without, ids, hidden, plain_logits.resize(tiny.ops(), {1, shape.vocab}));
      CHECK(same_floats(on_host(tiny.ops(), kept_logits.view()), on_host(tiny.ops(), plain_logits.view())));
    }
  }
}

TEST("PyramidDrop keeps the rows that the layer's own attention ranks highest") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  const std::string plan = R"({"positions":"compact","stages":[)" + drop_at(2, 0.4) + R"(],"skip":[]})";
  Run run(tiny, plan, {{4, 30}}, 47), plain(tiny, "", {{4, 30}}, 47);
  // The unpruned run cached the same keys at layer 2; the query comes from the stream as it enters layer 2.
  TestStream input(tiny.ops(), shape.d_model, {{47, {{4, 30}}}});
  struct Tap final : LayerHook {
    TinyDecoder& tiny;
    std::vector<float> q;
    explicit Tap(TinyDecoder& t) : tiny(t) {}
    void before_layer(int layer, RowStream& stream) override {
      const int32_t last[] = {46};
      if (layer == 2) q = on_host(tiny.ops(), tiny.decoder().probe(2, stream, stream.sequences[0], last, last, true).q);
    }
    SubLayers sub_layers(int) const override { return {}; }
  } tap(tiny);
  KvCache cache = tiny.cache();
  KvCache* caches[] = {&cache};
  tiny.decoder().forward(input.stream, caches, tap, kNever);
  const std::vector<float> keys = cached_keys(plain.session.cache, 2);
  std::vector<double> score(47, 0.0);
  for (int64_t head = 0; head < shape.n_heads; ++head) {
    std::vector<double> p(47);
    for (int64_t j = 0; j < 47; ++j) {
      double dot = 0;
      for (int64_t c = 0; c < shape.d_head; ++c)
        dot += double{tap.q[static_cast<size_t>(head * shape.d_head + c)]} *
               keys[static_cast<size_t>((j * shape.n_kv_heads + head / 2) * shape.d_head + c)];
      p[static_cast<size_t>(j)] = std::exp(dot / std::sqrt(static_cast<double>(shape.d_head)));
    }
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (size_t j = 0; j < p.size(); ++j) score[j] += p[j] / sum;
  }
  std::vector<int32_t> best(30);
  std::iota(best.begin(), best.end(), 0);
  std::sort(best.begin(), best.end(),
            [&](int a, int b) { return score[static_cast<size_t>(4 + a)] > score[static_cast<size_t>(4 + b)]; });
  best.resize(12);
  std::sort(best.begin(), best.end());
  CHECK(run.session.stages[0].images[0].kept == best);
}

}  // namespace fovea::test
