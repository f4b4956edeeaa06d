// What a KV cache holds, read back from its panels.
#pragma once

#include <vector>

#include "model/kv_cache.h"
#include "ops/packed_key_values.h"

namespace fovea::test {

inline const PackedKeyValues& packed_of(const KvCache& cache, int layer) {
  return dynamic_cast<const PackedKeyValues&>(cache.key_values(layer));
}

// (rows, n_kv_heads, d_head)
inline std::vector<float> cached_keys(const KvCache& cache, int layer) {
  const PackedKeyValues& kv = packed_of(cache, layer);
  std::vector<float> out;
  for (int64_t row = 0; row < kv.rows(); ++row)
    for (int64_t head = 0; head < kv.n_heads(); ++head)
      for (int64_t i = 0; i < kv.d_head(); ++i)
        out.push_back(kv.keys(head)[(row / 16 * kv.d_head() + i) * 16 + row % 16]);
  return out;
}

// (rows, n_kv_heads, d_head)
inline std::vector<float> cached_values(const KvCache& cache, int layer) {
  const PackedKeyValues& kv = packed_of(cache, layer);
  std::vector<float> out;
  for (int64_t row = 0; row < kv.rows(); ++row)
    for (int64_t head = 0; head < kv.n_heads(); ++head)
      for (int64_t i = 0; i < kv.d_head(); ++i)
        out.push_back(kv.values(head)[(i / 16 * kv.capacity() + row) * 16 + i % 16]);
  return out;
}

}  // namespace fovea::test
