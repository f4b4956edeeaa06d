// What stages on a session's KV cache work with. Unlike a stage on rows, such a stage runs once for all layers.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "prune/cache_tap.h"
#include "prune/named.h"

namespace fovea {

// A KV cache as primitives see it: how many rows each layer holds, and a way to keep some of them.
class CacheRows {
 public:
  virtual ~CacheRows() = default;
  virtual int n_layers() const = 0;
  virtual int64_t n_kv_heads() const = 0;
  virtual int64_t length(int layer) const = 0;
  // Rows that ever entered the layer.
  virtual int64_t seen(int layer) const = 0;
  // Keeps these rows of a layer: n_kv_heads ascending lists of one size, or one list for all heads.
  virtual void keep(int layer, std::span<const RowSet> rows) = 0;
};

// How much of a layer may stay.
struct Quota {
  int64_t rows = 0;
  double share = 0;  // of the rows that the layer has seen, before it became a number of rows
};

// What is known of one layer of a cache.
struct CacheLayer {
  std::vector<RowSet> origin;                      // (1 or n_kv_heads) the prompt's row of each row that it holds
  std::map<CacheTap, std::vector<Scores>> masses;  // (n_kv_heads), as the last forward step noted them
  std::map<CacheTap, double> sparsities;
};

// It lives as long as the session: what a stage made at `prefilled` is there at `decode-step`.
struct CacheState {
  std::vector<CacheLayer> layers;
  Named<Scores> scores;  // an entry per layer, or per layer and KV head
  Named<Quota> quotas;   // an entry per layer
};

struct CacheRun {
  CacheRows& cache;
  CacheState& state;
  Named<RowSet> rows{};  // entries as those of scores; forgotten when rows leave
};

}  // namespace fovea
