// The decoder on random weights: a row depends on nothing but what it may see, and skipping is adding nothing.
#include <atomic>

#include "model/decoder/decoder.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;

// Runs the sub-layers it is told to, and raises a flag before a layer.
struct PlainHook : LayerHook {
  std::vector<SubLayers> run;
  std::atomic<bool> flag = false;
  int cancel_at = -1;
  explicit PlainHook(int n_layers) : run(static_cast<size_t>(n_layers)) {}
  void before_layer(int layer, RowStream&) override {
    if (layer == cancel_at) flag = true;
  }
  SubLayers sub_layers(int layer) const override { return run[static_cast<size_t>(layer)]; }
};

// Rows after the decoder, of sequences packed as given.
std::vector<float> decode_rows(TinyDecoder& tiny, RowStream& stream, std::vector<KvCache>& caches) {
  std::vector<KvCache*> pointers;
  for (KvCache& cache : caches) pointers.push_back(&cache);
  PlainHook hook(tiny.decoder().config().n_layers);
  CHECK(tiny.decoder().forward(stream, pointers, hook, hook.flag));
  return on_host(tiny.ops(), stream.hidden);
}

// Row i of the stream as the one row of a sequence of its own, at its position.
RowStream one_row(const RowStream& stream, int64_t i) {
  return {stream.hidden.slice(i, 1), {stream.positions[static_cast<size_t>(i)]}, {{0, 1, {0}, {}}}};
}

}  // namespace

TEST("Decoder: a prefill equals decoding row by row, bit for bit") {
  for (const TinyShape& shape : {TinyShape{}, TinyShape{.n_layers = 3, .n_heads = 6, .n_kv_heads = 1, .d_head = 4}}) {
    TinyDecoder tiny(shape);
    TestStream whole(tiny.ops(), shape.d_model, {{75, {}}}), single(tiny.ops(), shape.d_model, {{75, {}}});
    std::vector<KvCache> whole_cache, single_cache;
    whole_cache.push_back(tiny.cache());
    single_cache.push_back(tiny.cache());
    const std::vector<float> expected = decode_rows(tiny, whole.stream, whole_cache);
    for (int64_t i = 0; i < 75; ++i) {
      RowStream row = one_row(single.stream, i);
      decode_rows(tiny, row, single_cache);
    }
    CHECK(same_floats(on_host(tiny.ops(), single.stream.hidden), expected));
    for (int layer = 0; layer < shape.n_layers; ++layer) {
      CHECK(same_floats(cached_keys(whole_cache[0], layer), cached_keys(single_cache[0], layer)));
      CHECK(same_floats(cached_values(whole_cache[0], layer), cached_values(single_cache[0], layer)));
    }
  }
}

TEST("Decoder: layers with a window: a prefill equals decoding row by row, also where positions have gaps") {
  const TinyShape shape{.windows = {20, 0, 7, 1}};
  TinyDecoder tiny(shape);
  TestStream whole(tiny.ops(), shape.d_model, {{75, {}}}), single(tiny.ops(), shape.d_model, {{75, {}}});
  for (TestStream* input : {&whole, &single})
    for (size_t i = 30; i < 75; ++i) input->stream.positions[i] = static_cast<int32_t>(i + (i < 50 ? 5 : 40));
  std::vector<KvCache> whole_cache, single_cache;
  whole_cache.push_back(tiny.cache());
  single_cache.push_back(tiny.cache());
  const std::vector<float> expected = decode_rows(tiny, whole.stream, whole_cache);
  for (int64_t i = 0; i < 75; ++i) {
    RowStream row = one_row(single.stream, i);
    decode_rows(tiny, row, single_cache);
  }
  CHECK(same_floats(on_host(tiny.ops(), single.stream.hidden), expected));
}

TEST("Decoder: rows that no window reaches may be gone") {
  // Layers see 4, 5, 6 and 7 places back, so the last row hears of 3 + 4 + 5 + 6 before its own.
  const TinyShape shape{.windows = {4, 5, 6, 7}};
  TinyDecoder tiny(shape);
  TestStream whole(tiny.ops(), shape.d_model, {{60, {}}}), same(tiny.ops(), shape.d_model, {{60, {}}});
  std::vector<KvCache> whole_cache, rest_cache;
  whole_cache.push_back(tiny.cache());
  rest_cache.push_back(tiny.cache());
  const std::vector<float> all = decode_rows(tiny, whole.stream, whole_cache);
  RowStream rest{same.stream.hidden.slice(60 - 19, 19),
                 {same.stream.positions.end() - 19, same.stream.positions.end()},
                 {{0, 19, {same.stream.sequences[0].origin.end() - 19, same.stream.sequences[0].origin.end()}, {}}}};
  const std::vector<float> some = decode_rows(tiny, rest, rest_cache);
  CHECK(same_floats({all.end() - shape.d_model, all.end()}, {some.end() - shape.d_model, some.end()}));
}

TEST("Decoder: packed sequences equal each one alone, bit for bit") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  const std::vector<int64_t> counts = {1, 40, 7, 129};
  TestStream packed(tiny.ops(), shape.d_model, {{1, {}}, {40, {}}, {7, {}}, {129, {}}});
  TestStream same(tiny.ops(), shape.d_model, {{1, {}}, {40, {}}, {7, {}}, {129, {}}});
  std::vector<KvCache> caches;
  for (size_t i = 0; i < counts.size(); ++i) caches.push_back(tiny.cache());
  const std::vector<float> together = decode_rows(tiny, packed.stream, caches);
  std::vector<float> alone;
  for (const Sequence& sequence : same.stream.sequences) {
    RowStream one{same.stream.hidden.slice(sequence.begin, sequence.count),
                  {sequence.origin.begin(), sequence.origin.end()},  // positions from 0
                  {{0, sequence.count, sequence.origin, {}}}};
    std::vector<KvCache> cache;
    cache.push_back(tiny.cache());
    const std::vector<float> rows = decode_rows(tiny, one, cache);
    alone.insert(alone.end(), rows.begin(), rows.end());
  }
  CHECK(same_floats(together, alone));
}

TEST("Decoder: results do not depend on the number of threads") {
  const TinyShape shape;
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 4}) {
    TinyDecoder tiny(shape, {}, threads);
    TestStream input(tiny.ops(), shape.d_model, {{90, {}}});
    std::vector<KvCache> caches;
    caches.push_back(tiny.cache());
    results.push_back(decode_rows(tiny, input.stream, caches));
  }
  CHECK(same_floats(results[0], results[1]));
}

TEST("Decoder: with every sub-layer skipped the residual stream is untouched") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  TestStream input(tiny.ops(), shape.d_model, {{20, {}}});
  const std::vector<float> before = on_host(tiny.ops(), input.stream.hidden);
  KvCache cache = tiny.cache();
  KvCache* caches[] = {&cache};
  PlainHook hook(shape.n_layers);
  hook.run.assign(hook.run.size(), {false, false});
  CHECK(tiny.decoder().forward(input.stream, caches, hook, kNever));
  CHECK(same_floats(on_host(tiny.ops(), input.stream.hidden), before));
  for (int layer = 0; layer < shape.n_layers; ++layer) CHECK_EQ(cache.length(layer), 0);
}

TEST("Decoder: a skipped sub-layer is one whose output is zero") {
  const TinyShape shape;
  for (const Silenced& silenced : {Silenced{.attention = 1}, Silenced{.ffn = 2}, Silenced{.attention = 0, .ffn = 0}}) {
    TinyDecoder tiny(shape), reference(shape, silenced);
    TestStream input(tiny.ops(), shape.d_model, {{20, {}}}), same(reference.ops(), shape.d_model, {{20, {}}});
    KvCache cache = tiny.cache();
    KvCache* caches[] = {&cache};
    PlainHook hook(shape.n_layers);
    if (silenced.attention >= 0) hook.run[static_cast<size_t>(silenced.attention)].attention = false;
    if (silenced.ffn >= 0) hook.run[static_cast<size_t>(silenced.ffn)].ffn = false;
    CHECK(tiny.decoder().forward(input.stream, caches, hook, kNever));
    std::vector<KvCache> reference_cache;
    reference_cache.push_back(reference.cache());
    CHECK(same_floats(on_host(tiny.ops(), input.stream.hidden), decode_rows(reference, same.stream, reference_cache)));
    for (int layer = 0; layer < shape.n_layers; ++layer)
      CHECK_EQ(cache.length(layer), layer == silenced.attention ? 0 : 20);
  }
}

TEST("Decoder: a raised flag stops it before the next layer") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  TestStream input(tiny.ops(), shape.d_model, {{20, {}}});
  KvCache cache = tiny.cache();
  KvCache* caches[] = {&cache};
  PlainHook hook(shape.n_layers);
  hook.cancel_at = 1;
  CHECK(!tiny.decoder().forward(input.stream, caches, hook, hook.flag));
  CHECK_EQ(cache.length(0), 20);
  CHECK_EQ(cache.length(1), 20);
  CHECK_EQ(cache.length(2), 0);
  const std::vector<float> rows = on_host(tiny.ops(), input.stream.hidden);
  CHECK(!tiny.decoder().forward(input.stream, caches, hook, hook.flag));
  CHECK(same_floats(on_host(tiny.ops(), input.stream.hidden), rows));
}

TEST("Decoder: the probe sees what the layer's attention then computes") {
  TinyDecoder tiny({.n_kv_heads = 4, .same_q_and_k = true});
  struct Tap final : PlainHook {
    TinyDecoder& tiny;
    std::vector<float> query, keys;
    explicit Tap(TinyDecoder& t) : PlainHook(t.decoder().config().n_layers), tiny(t) {}
    void before_layer(int layer, RowStream& stream) override {
      if (layer != 2) return;
      std::vector<int32_t> all(20);
      std::iota(all.begin(), all.end(), 0);
      const int32_t last[] = {19};
      const Decoder::Probe probe = tiny.decoder().probe(2, stream, stream.sequences[1], last, all, true);
      query = on_host(tiny.ops(), probe.q);
      keys = on_host(tiny.ops(), probe.k);
    }
  } tap(tiny);
  TestStream input(tiny.ops(), tiny.decoder().config().d_model, {{9, {}}, {20, {}}});
  KvCache first = tiny.cache(), second = tiny.cache();
  KvCache* caches[] = {&first, &second};
  CHECK(tiny.decoder().forward(input.stream, caches, tap, kNever));
  const std::vector<float> keys = cached_keys(second, 2);
  CHECK(same_floats(tap.keys, keys));
  CHECK(same_floats(tap.query, {keys.end() - std::ssize(tap.query), keys.end()}));
}

}  // namespace fovea::test
