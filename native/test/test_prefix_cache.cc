// What the prefix cache knows of a prompt's beginning, and what it forgets.
#include "engine/prefix_cache.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

constexpr int kLayers = 2;

// Rows are named by one number each, which fills the row and its keys; values are its negative.
struct Made {
  DecoderInput input;
  KvCache cache;
};

Made make(Ops& ops, const std::vector<float>& names, int32_t first_position = 0, bool ffn = true) {
  Made made{{std::vector<SubLayers>(kLayers, SubLayers{true, ffn}), {}, {}, {}}, KvCache(ops, kLayers, 1, 2)};
  for (float name : names) {
    made.input.positions.push_back(first_position + static_cast<int32_t>(made.input.positions.size()));
    made.input.rows.insert(made.input.rows.end(), {name, name});
    made.input.sees.push_back(made.input.count());
    DeviceArray k, v;
    const Tensor keys = k.resize(ops, {1, 1, 2}), values = v.resize(ops, {1, 1, 2});
    const float numbers[] = {name, name}, negative[] = {-name, -name};
    ops.copy_from_host(numbers, keys);
    ops.copy_from_host(negative, values);
    const int32_t place = made.input.positions.back().time;
    for (int layer = 0; layer < kLayers; ++layer) made.cache.append(layer, keys, values, {&place, 1});
  }
  return made;
}

void insert(PrefixCache& prefixes, Made made) { prefixes.insert(std::move(made.input), std::move(made.cache)); }

int64_t known(PrefixCache& prefixes, Ops& ops, const std::vector<float>& names, int32_t first_position = 0,
              bool ffn = true) {
  KvCache cache(ops, kLayers, 1, 2);
  const int64_t n = prefixes.resume(make(ops, names, first_position, ffn).input, cache);
  for (int layer = 0; layer < kLayers; ++layer) {
    CHECK_EQ(cache.length(layer), n);
    if (n == 0) continue;
    const std::vector<float> keys = cached_keys(cache, layer), values = cached_values(cache, layer);
    for (size_t i = 0; i < keys.size(); ++i) {
      CHECK_EQ(keys[i], names[i / 2]);
      CHECK_EQ(values[i], -names[i / 2]);
    }
  }
  return n;
}

}  // namespace

TEST("PrefixCache: a prompt goes on from the longest equal beginning, and never without its last row") {
  const auto ops = make_cpu_ops(1, "auto");
  PrefixCache prefixes(size_t{1} << 20);
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3}), int64_t{0});
  insert(prefixes, make(*ops, {1, 2, 3}));
  insert(prefixes, make(*ops, {1, 2, 5, 6}));
  CHECK_EQ(known(prefixes, *ops, {1, 2, 5, 6, 7}), int64_t{4});
  CHECK_EQ(known(prefixes, *ops, {1, 2, 5, 6}), int64_t{3});
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3, 6}), int64_t{3});
  CHECK_EQ(known(prefixes, *ops, {1}), int64_t{0});
  CHECK_EQ(known(prefixes, *ops, {4, 2, 3}), int64_t{0});
}

TEST("PrefixCache: other positions or other sub-layers are another beginning") {
  const auto ops = make_cpu_ops(1, "auto");
  PrefixCache prefixes(size_t{1} << 20);
  insert(prefixes, make(*ops, {1, 2, 3}));
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3}, 1), int64_t{0});
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3}, 0, false), int64_t{0});
}

TEST("PrefixCache: no prompt goes on from half of the rows that see one another") {
  const auto ops = make_cpu_ops(1, "auto");
  const std::vector<int64_t> picture = {1, 5, 5, 5, 5, 6};  // rows 1 to 4
  Made old = make(*ops, {1, 2, 3, 4, 5, 6});
  old.input.sees = picture;
  PrefixCache prefixes(size_t{1} << 20);
  insert(prefixes, std::move(old));
  const auto known_of = [&](const std::vector<float>& names, const std::vector<int64_t>& sees) {
    DecoderInput input = make(*ops, names).input;
    input.sees = sees;
    KvCache cache(*ops, kLayers, 1, 2);
    return prefixes.resume(input, cache);
  };
  CHECK_EQ(known_of({1, 2, 3, 4, 5, 7}, picture), int64_t{5});
  CHECK_EQ(known_of({1, 2, 3, 9, 5, 6}, picture), int64_t{1});             // another picture
  CHECK_EQ(known_of({1, 2, 3, 4, 5}, {1, 5, 5, 5, 5}), int64_t{1});        // its last row is wanted
  CHECK_EQ(known_of({1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}), int64_t{1});  // rows alone
}

TEST("PrefixCache: keeps its bytes, forgets what was used longest ago and what another goes on from") {
  const auto ops = make_cpu_ops(1, "auto");
  PrefixCache measure(size_t{1} << 20);
  insert(measure, make(*ops, {1, 2, 3}));
  const size_t one = measure.bytes();
  CHECK(one > 0);
  PrefixCache prefixes(2 * one);
  insert(prefixes, make(*ops, {1, 2}));
  insert(prefixes, make(*ops, {1, 2, 3}));
  CHECK_EQ(prefixes.bytes(), one);  // the first one is a part of the second
  insert(prefixes, make(*ops, {4, 5, 6}));
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3, 9}), int64_t{3});
  insert(prefixes, make(*ops, {7, 8, 9}));
  CHECK_EQ(prefixes.bytes(), 2 * one);
  CHECK_EQ(known(prefixes, *ops, {4, 5, 6, 9}), int64_t{0});
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3, 9}), int64_t{3});
  PrefixCache small(one - 1);
  insert(small, make(*ops, {1, 2, 3}));
  CHECK_EQ(small.bytes(), size_t{0});
  prefixes.clear();
  CHECK_EQ(prefixes.bytes(), size_t{0});
  CHECK_EQ(known(prefixes, *ops, {1, 2, 3, 9}), int64_t{0});
}

}  // namespace fovea::test
