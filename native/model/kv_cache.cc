#include "model/kv_cache.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {

KvCache::KvCache(Ops& ops, int n_layers, int64_t n_kv_heads, int64_t d_head)
    : ops_(ops), n_kv_heads_(n_kv_heads), d_head_(d_head), layers_(static_cast<size_t>(n_layers)) {}

Tensor KvCache::view(const Buffer& buffer, int64_t rows) const {
  return Tensor(buffer.data(), DType::kF32, ops_.device(), {rows, n_kv_heads_, d_head_});
}

Tensor KvCache::keys(int layer) const { return view(layers_[static_cast<size_t>(layer)].k, length(layer)); }
Tensor KvCache::values(int layer) const { return view(layers_[static_cast<size_t>(layer)].v, length(layer)); }

void KvCache::append(int layer, const Tensor& k, const Tensor& v) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  reserve(cache, cache.length + k.rows());
  ops_.copy(k, view(cache.k, cache.capacity).slice(cache.length, k.rows()));
  ops_.copy(v, view(cache.v, cache.capacity).slice(cache.length, v.rows()));
  cache.length += k.rows();
}

void KvCache::drop_last(int layer, int64_t n) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  if (n < 0 || n > cache.length)
    throw Error(ErrorCode::kInternal, "a layer's cache was asked to drop more rows than it holds");
  cache.length -= n;
}

void KvCache::reserve(Layer& layer, int64_t rows) {
  if (rows <= layer.capacity) return;
  // Room for a short answer behind the prompt, then half as much again: few copies, little waste.
  constexpr int64_t kAnswerRows = 64;
  const int64_t capacity = std::max(rows + kAnswerRows, layer.capacity + layer.capacity / 2);
  for (Buffer* buffer : {&layer.k, &layer.v}) {
    Buffer grown = ops_.allocate(static_cast<size_t>(capacity * n_kv_heads_ * d_head_) * sizeof(float));
    if (layer.length > 0) ops_.copy(view(*buffer, layer.length), view(grown, layer.length));
    *buffer = std::move(grown);
  }
  layer.capacity = capacity;
}

}  // namespace fovea
