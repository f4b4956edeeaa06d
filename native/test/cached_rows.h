// What a KV cache holds, read back from its panels.
#pragma once

#include <vector>

#include "model/kv_cache.h"
#include "ops/packed_key_values.h"

namespace fovea::test {

// (rows, n_kv_heads, d_head) of a layer. at(kv, head, row, i): where number i of a row is.
template <typename At>
std::vector<float> cached_rows(const KvCache& cache, int layer, At&& at) {
  const auto& kv = dynamic_cast<const PackedKeyValues&>(cache.key_values(layer));
  std::vector<float> out;
  for (int64_t row = 0; row < kv.rows(); ++row)
    for (int64_t head = 0; head < kv.n_heads(); ++head)
      for (int64_t i = 0; i < kv.d_head(); ++i) out.push_back(at(kv, head, row, i));
  return out;
}

inline std::vector<float> cached_keys(const KvCache& cache, int layer) {
  return cached_rows(cache, layer, [](const PackedKeyValues& kv, int64_t head, int64_t row, int64_t i) {
    return kv.keys(head)[(row / 16 * kv.d_head() + i) * 16 + row % 16];
  });
}

inline std::vector<float> cached_values(const KvCache& cache, int layer) {
  return cached_rows(cache, layer, [](const PackedKeyValues& kv, int64_t head, int64_t row, int64_t i) {
    return kv.values(head)[(i / 16 * kv.capacity() + row) * 16 + i % 16];
  });
}

}  // namespace fovea::test
