#include "model/kv_cache.h"

namespace fovea {

KvCache::KvCache(Ops& ops, int n_layers, int64_t n_kv_heads, int64_t d_head, const ConvLayers& conv)
    : n_kv_heads_(n_kv_heads), layers_(static_cast<size_t>(n_layers)) {
  for (Layer& layer : layers_) layer.kv = ops.key_values(n_kv_heads, d_head);
  for (size_t layer = 0; layer < conv.convolves.size(); ++layer)
    if (conv.convolves[layer] != 0) layers_[layer].tail.emplace(ops, conv.reach, conv.width);
}

void KvCache::append(int layer, const Tensor& k, const Tensor& v, std::span<const int32_t> places) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  cache.kv->append(k, v);
  note_places(cache, places);
}

void KvCache::append(int layer, const KvCache& other, int64_t begin, int64_t n) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  cache.kv->append(other.key_values(layer), begin, n);
  note_places(cache,
              std::span(other.places(layer).front()).subspan(static_cast<size_t>(begin), static_cast<size_t>(n)));
}

void KvCache::note_places(Layer& layer, std::span<const int32_t> places) {
  for (auto& list : layer.places) list.insert(list.end(), places.begin(), places.end());
  layer.seen += std::ssize(places);
}

void KvCache::drop_last(int layer, int64_t n) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  if (cache.tail) return cache.tail->drop_last(n);
  cache.kv->drop_last(n);
  cache.seen -= n;
  for (auto& list : cache.places) list.resize(list.size() - static_cast<size_t>(n));
}

int64_t KvCache::resumable(int64_t n) const {
  for (int64_t before = -1; n != before;) {
    before = n;
    for (const Layer& layer : layers_)
      if (layer.tail && layer.tail->length() > 0) n = layer.tail->resumable(n);
  }
  return n;
}

void KvCache::go_on_from(const KvCache& other, int64_t n) {
  for (int layer = 0; layer < n_layers(); ++layer) {
    if (other.rows(layer) == 0) continue;
    const Layer& from = other.layers_[static_cast<size_t>(layer)];
    if (from.tail) {
      tail(layer)->go_on_from(*from.tail, n);
    } else {
      append(layer, other, 0, n);
    }
  }
}

void KvCache::shrink() {
  for (Layer& layer : layers_) {
    if (layer.tail) layer.tail->shrink();
    layer.kv->shrink();
  }
}

void KvCache::keep(int layer, std::span<const RowSet> rows) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  cache.kv->keep(rows);
  if (cache.places.size() < rows.size()) cache.places.resize(rows.size(), cache.places.front());
  // Heads that went apart stay apart, whatever one list does to all of them.
  for (size_t head = 0; head < cache.places.size(); ++head) {
    const RowSet& kept = rows[rows.size() == 1 ? 0 : head];
    std::vector<int32_t>& list = cache.places[head];
    for (size_t i = 0; i < kept.size(); ++i) list[i] = list[static_cast<size_t>(kept[i])];
    list.resize(kept.size());
  }
}

size_t KvCache::bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.kv->bytes() + (layer.tail ? layer.tail->bytes() : 0);
  return bytes;
}

}  // namespace fovea
