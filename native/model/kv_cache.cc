#include "model/kv_cache.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {
namespace {

constexpr int64_t kAnswerRows = 64;  // room for a short answer behind the prompt

}  // namespace

KvCache::KvCache(Ops& ops, int n_layers, int64_t n_kv_heads, int64_t d_head, const ConvLayers& conv)
    : ops_(ops), n_kv_heads_(n_kv_heads), d_head_(d_head), layers_(static_cast<size_t>(n_layers)) {
  for (size_t layer = 0; layer < conv.convolves.size(); ++layer)
    if (conv.convolves[layer] != 0) layers_[layer].tail.emplace(ops, conv.reach, conv.width);
}

Tensor KvCache::view(const Buffer& buffer, int64_t rows) const {
  return Tensor(buffer.data(), DType::kF32, ops_.device(), {rows, n_kv_heads_, d_head_});
}

Tensor KvCache::keys(int layer) const { return view(layers_[static_cast<size_t>(layer)].k, length(layer)); }
Tensor KvCache::values(int layer) const { return view(layers_[static_cast<size_t>(layer)].v, length(layer)); }

void KvCache::append(int layer, const Tensor& k, const Tensor& v, std::span<const int32_t> places) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  reserve(cache, cache.length + k.rows());
  ops_.copy(k, view(cache.k, cache.capacity).slice(cache.length, k.rows()));
  ops_.copy(v, view(cache.v, cache.capacity).slice(cache.length, v.rows()));
  for (auto& list : cache.places) list.insert(list.end(), places.begin(), places.end());
  cache.length += k.rows();
  cache.seen += k.rows();
}

void KvCache::drop_last(int layer, int64_t n) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  if (cache.tail) return cache.tail->drop_last(n);
  if (n < 0 || n > cache.length)
    throw Error(ErrorCode::kInternal, "a layer's cache was asked to drop more rows than it holds");
  cache.length -= n;
  cache.seen -= n;
  for (auto& list : cache.places) list.resize(static_cast<size_t>(cache.length));
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
      append(layer, other.keys(layer).slice(0, n), other.values(layer).slice(0, n),
             std::span(other.places(layer).front()).first(static_cast<size_t>(n)));
    }
  }
}

void KvCache::reserve(Layer& layer, int64_t rows) {
  if (rows <= layer.capacity) return;
  // Half as much again: few copies, little waste.
  move(layer, std::max(rows + kAnswerRows, layer.capacity + layer.capacity / 2));
}

void KvCache::shrink() {
  for (Layer& layer : layers_) {
    if (layer.tail) layer.tail->shrink();
    if (layer.capacity > layer.length + kAnswerRows) move(layer, layer.length + kAnswerRows);
  }
}

void KvCache::move(Layer& layer, int64_t capacity) {
  for (Buffer* buffer : {&layer.k, &layer.v}) {
    Buffer grown = ops_.allocate(static_cast<size_t>(capacity * n_kv_heads_ * d_head_) * sizeof(float));
    if (layer.length > 0) ops_.copy(view(*buffer, layer.length), view(grown, layer.length));
    *buffer = std::move(grown);
  }
  layer.capacity = capacity;
}

void KvCache::keep(int layer, std::span<const RowSet> rows) {
  Layer& cache = layers_[static_cast<size_t>(layer)];
  const auto count = static_cast<int64_t>(rows[0].size());
  const auto n_lists = static_cast<int64_t>(rows.size());
  if (n_lists != 1 && n_lists != n_kv_heads_) throw Error(ErrorCode::kInternal, "one list of rows, or one per KV head");
  const int64_t width = n_kv_heads_ * d_head_ / n_lists;  // numbers of a row that a list decides about
  if (std::ssize(cache.places) < n_lists) cache.places.resize(rows.size(), cache.places.front());
  for (const Buffer* buffer : {&cache.k, &cache.v}) {
    const Tensor all = view(*buffer, cache.length).reshape_rows({n_kv_heads_ * d_head_});
    for (int64_t list = 0; list < n_lists; ++list) {
      const RowSet& kept = rows[static_cast<size_t>(list)];
      if (static_cast<int64_t>(kept.size()) != count)
        throw Error(ErrorCode::kInternal, "the KV heads of a layer keep different numbers of rows");
      const Tensor part = all.columns(list * width, width);
      ops_.gather_rows(part, kept, part.slice(0, count));
    }
  }
  // Heads that went apart stay apart, whatever one list does to all of them.
  for (size_t head = 0; head < cache.places.size(); ++head) {
    const RowSet& kept = rows[n_lists == 1 ? 0 : head];
    std::vector<int32_t>& list = cache.places[head];
    for (size_t i = 0; i < kept.size(); ++i) list[i] = list[static_cast<size_t>(kept[i])];
    list.resize(kept.size());
  }
  cache.length = count;
}

size_t KvCache::bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_)
    bytes += layer.k.bytes() + layer.v.bytes() + (layer.tail ? layer.tail->bytes() : 0);
  return bytes;
}

}  // namespace fovea
