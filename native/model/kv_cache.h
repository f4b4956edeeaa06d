// Keys and values of one session, and what layers that convolve remember. Every layer has its own length: rows dropped
// before layer l are not in its cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/conv_tail.h"
#include "ops/ops.h"
#include "prune/cache_run.h"

namespace fovea {

// Which layers of a decoder convolve where others attend, and how.
struct ConvLayers {
  std::span<const uint8_t> convolves{};  // (n_layers) or empty: none
  int64_t reach = 0;                     // rows before its own that a row sees
  int64_t width = 0;                     // of a row
};

class KvCache final : public CacheRows {
 public:
  KvCache(Ops& ops, int n_layers, int64_t n_kv_heads, int64_t d_head, const ConvLayers& conv = {});

  // Appends rows to a layer; k and v are (n, n_kv_heads, d_head). Keys are stored rotated. places (n): where the rows
  // stand in time, ascending, which windows of attention are counted by.
  void append(int layer, const Tensor& k, const Tensor& v, std::span<const int32_t> places);

  // Rows [begin, begin + n) of a layer of another cache whose heads all hold the same rows there.
  void append(int layer, const KvCache& other, int64_t begin, int64_t n);

  // What a layer that convolves remembers, which has no keys and values; null of others.
  ConvTail* tail(int layer) {
    Layer& cache = layers_[static_cast<size_t>(layer)];
    return cache.tail ? &*cache.tail : nullptr;
  }

  // Forgets the last n rows of a layer, n <= rows(layer).
  void drop_last(int layer, int64_t n);

  // The largest number of rows, at most n, behind which a sequence may go on: layers that convolve do not remember what
  // stood before every row. Layers without rows do not run.
  int64_t resumable(int64_t n) const;
  // Of an empty one: becomes the first n rows of another, n == other.resumable(n), whose layers are equally long but
  // for those that do not run.
  void go_on_from(const KvCache& other, int64_t n);

  const KeyValues& key_values(int layer) const { return *layers_[static_cast<size_t>(layer)].kv; }
  // Where its rows stand: (1) list for all KV heads, or (n_kv_heads) where these keep different rows.
  const std::vector<std::vector<int32_t>>& places(int layer) const {
    return layers_[static_cast<size_t>(layer)].places;
  }
  // Of keys and values: 0 of a layer that convolves.
  int64_t length(int layer) const override { return key_values(layer).rows(); }
  // The same, or the rows that went through a layer that convolves.
  int64_t rows(int layer) const {
    const Layer& cache = layers_[static_cast<size_t>(layer)];
    return cache.tail ? cache.tail->length() : cache.kv->rows();
  }
  int64_t seen(int layer) const override { return layers_[static_cast<size_t>(layer)].seen; }
  int n_layers() const override { return static_cast<int>(layers_.size()); }
  int64_t n_kv_heads() const override { return n_kv_heads_; }

  // In place; keys keep their rotation.
  void keep(int layer, std::span<const RowSet> rows) override;
  // Gives back memory that rows left, but for some room to grow.
  void shrink();
  size_t bytes() const;

 private:
  struct Layer {
    std::optional<ConvTail> tail;  // of a layer that convolves, whose kv stays empty
    std::unique_ptr<KeyValues> kv;
    std::vector<std::vector<int32_t>> places{1};  // (1 or n_kv_heads) lists of kv->rows()
    int64_t seen = 0;
  };

  void note_places(Layer& layer, std::span<const int32_t> places);

  int64_t n_kv_heads_;
  std::vector<Layer> layers_;
};

}  // namespace fovea
