// What rows see of one another: pictures, prompts, windows of positions, caches that lost rows.
#include <numeric>

#include "model/decoder/visible_keys.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

// A prompt of 12 rows: pictures at [2, 5) and [5, 7), which nothing separates, and at [9, 11).
Sequence prompt() {
  Sequence sequence{0, 12, std::vector<int32_t>(12), {}};
  std::iota(sequence.origin.begin(), sequence.origin.end(), 0);
  sequence.spans = {{0, 2, 3, 2, 3}, {1, 5, 2, 5, 2, true}, {2, 9, 2, 9, 2}};
  return sequence;
}

std::vector<int64_t> ends(PromptView view, const Sequence& sequence) {
  std::vector<int64_t> all;
  for (int64_t row = 0; row < sequence.count; ++row) all.push_back(seen_until(view, sequence, row));
  return all;
}

// Rows at these places in layer 0 of a cache with two KV heads.
KvCache cache_of(Ops& ops, const std::vector<int32_t>& places) {
  KvCache cache(ops, 1, 2, 2);
  DeviceArray memory;
  const Tensor rows = memory.resize(ops, {std::ssize(places), 2, 2});
  const std::vector<float> zeros(static_cast<size_t>(rows.elements()), 0.0F);
  ops.copy_from_host(zeros.data(), rows);
  cache.append(0, rows, rows, places);
  return cache;
}

std::vector<KeyRange> ranges_of(PromptView view, int32_t window, const Sequence& sequence,
                                const std::vector<int32_t>& places, const KvCache& cache) {
  const std::vector<Position> positions(places.begin(), places.end());
  return visible_keys(view, window, sequence, positions, cache, 0);
}

}  // namespace

TEST("seen_until: a row sees its picture, those that follow on that, and nothing else ahead") {
  CHECK(ends(PromptView::kCausal, prompt()) == std::vector<int64_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  CHECK(ends(PromptView::kPicture, prompt()) == std::vector<int64_t>({1, 2, 7, 7, 7, 7, 7, 8, 9, 11, 11, 12}));
  CHECK(ends(PromptView::kPrompt, prompt()) == std::vector<int64_t>(12, 12));
  const Sequence decoded{0, 3, {}, {}};  // rows that were generated
  for (const PromptView view : {PromptView::kPicture, PromptView::kPrompt})
    CHECK(ends(view, decoded) == std::vector<int64_t>({1, 2, 3}));
  Sequence emptied = prompt();  // the first picture has left, the second still follows on it
  emptied.spans[0].count = 0;
  emptied.spans[1].begin = 2;
  emptied.spans[2].begin = 6;
  emptied.count = 9;
  emptied.origin.resize(9);
  CHECK(ends(PromptView::kPicture, emptied) == std::vector<int64_t>({1, 2, 4, 4, 5, 6, 8, 8, 9}));
}

TEST("visible_keys: windows count places, whatever rows are there") {
  const auto ops = make_cpu_ops(1, "auto");
  const std::vector<int32_t> places = {0, 1, 2, 10, 11, 12, 13};
  const KvCache cache = cache_of(*ops, places);
  const Sequence all{0, 7, {0, 1, 2, 10, 11, 12, 13}, {}};
  CHECK(ranges_of(PromptView::kCausal, 0, all, places, cache).empty());
  CHECK(ranges_of(PromptView::kCausal, 14, all, places, cache).empty());
  CHECK(ranges_of(PromptView::kCausal, 3, all, places, cache) ==
        std::vector<KeyRange>({{0, 1}, {0, 2}, {0, 3}, {3, 4}, {3, 5}, {3, 6}, {4, 7}}));
  const Sequence last{0, 1, {}, {}};  // decoded
  CHECK(ranges_of(PromptView::kPrompt, 3, last, {13}, cache) == std::vector<KeyRange>({{4, 7}}));
  CHECK(ranges_of(PromptView::kPrompt, 3, all, places, cache) == std::vector<KeyRange>(7, {0, 7}));
  Sequence picture = all;
  picture.spans = {{0, 3, 3, 10, 3}};
  CHECK(ranges_of(PromptView::kPicture, 2, picture, places, cache) ==
        std::vector<KeyRange>({{0, 1}, {0, 2}, {1, 3}, {3, 6}, {3, 6}, {4, 6}, {5, 7}}));
}

TEST("visible_keys: KV heads that keep different rows have their own windows, as rows come and go") {
  const auto ops = make_cpu_ops(1, "auto");
  KvCache cache = cache_of(*ops, {0, 1, 2, 3, 4, 5});
  cache.keep(0, std::vector<RowSet>{{0, 1, 5}, {3, 4, 5}});
  const Sequence last{0, 1, {}, {}};
  CHECK(ranges_of(PromptView::kCausal, 3, last, {5}, cache) == std::vector<KeyRange>({{2, 3}, {0, 3}}));
  CHECK(ranges_of(PromptView::kCausal, 0, last, {5}, cache).empty());
  cache.keep(0, std::vector<RowSet>{{1, 2}});
  CHECK(cache.places(0) == std::vector<std::vector<int32_t>>({{1, 5}, {4, 5}}));
  cache.drop_last(0, 1);
  CHECK(cache.places(0) == std::vector<std::vector<int32_t>>({{1}, {4}}));
}

}  // namespace fovea::test
