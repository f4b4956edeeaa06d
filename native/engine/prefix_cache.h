// Keys and values of earlier requests, so that a prompt that begins like one of them is prefilled from where it
// differs.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "model/kv_cache.h"
#include "prune/plan.h"

namespace fovea {

// The rows that entered decoder layer 0, and what runs: where no stage acts deeper, all that the keys and values of a
// decoder depend on, each row's on the rows that it sees. Token ids or pictures need not be compared.
struct DecoderInput {
  std::vector<SubLayers> run;       // (n_layers)
  std::vector<Position> positions;  // (n)
  std::vector<float> rows;          // (n, d_model), or the rows and behind them what decoder layers add to them
  std::vector<int64_t> sees;        // (n) the end of what each row sees of these; beyond itself, inside a picture

  int64_t count() const { return static_cast<int64_t>(positions.size()); }
  int64_t width() const { return count() == 0 ? 0 : static_cast<int64_t>(rows.size()) / count(); }  // of a row
  void keep_first(int64_t n);
  // Rows at the beginning that are the same, bit for bit, and see the same.
  int64_t common(const DecoderInput& other) const;
};

// The most recently used ones that fit into a number of bytes. Engine thread only.
class PrefixCache {
 public:
  explicit PrefixCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Appends to an empty cache the keys and values of the longest beginning of input that is known and that a prompt can
  // go on from, but never of its last row, whose logits are wanted. Returns the number of rows.
  int64_t resume(const DecoderInput& input, KvCache& cache);

  // cache holds the rows of input, and no others. Those that input goes on from need not be kept any longer.
  void insert(DecoderInput input, KvCache cache);

  bool keeps_any() const { return max_bytes_ > 0; }
  void clear();
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    DecoderInput input;
    KvCache cache;
    size_t bytes;
  };

  void remove(std::list<Entry>::iterator entry);

  size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the one used last comes first
};

}  // namespace fovea
