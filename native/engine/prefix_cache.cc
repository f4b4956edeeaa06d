#include "engine/prefix_cache.h"

#include <algorithm>
#include <cstring>

namespace fovea {

int64_t DecoderInput::common(const DecoderInput& other) const {
  if (run != other.run) return 0;
  const int64_t most = std::min(count(), other.count());
  const auto row = static_cast<size_t>(width());
  int64_t n = 0;
  for (; n < most; ++n) {
    const auto i = static_cast<size_t>(n);
    if (positions[i] != other.positions[i] || sees[i] != other.sees[i]) break;
    if (std::memcmp(&rows[i * row], &other.rows[i * row], row * sizeof(float)) != 0) break;
  }
  return n;
}

void DecoderInput::keep_first(int64_t n) {
  rows.resize(static_cast<size_t>(n * width()));
  positions.resize(static_cast<size_t>(n));
  sees.resize(static_cast<size_t>(n));
}

int64_t PrefixCache::resume(const DecoderInput& input, KvCache& cache) {
  auto best = entries_.end();
  int64_t most = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    int64_t n = std::min(entry->input.common(input), input.count() - 1);
    for (int64_t before = -1; n != before;) {
      before = n;
      while (n > 0 && input.sees[static_cast<size_t>(n - 1)] > n) --n;  // a row that saw others needs them
      n = entry->cache.resumable(n);
    }
    if (n <= most) continue;
    best = entry;
    most = n;
  }
  if (best == entries_.end()) return 0;
  cache.go_on_from(best->cache, most);
  entries_.splice(entries_.begin(), entries_, best);
  return most;
}

void PrefixCache::insert(DecoderInput input, KvCache cache) {
  if (input.count() == 0) return;
  cache.shrink();
  const size_t bytes = cache.bytes() + input.rows.size() * sizeof(float) + input.positions.size() * sizeof(Position);
  if (bytes > max_bytes_) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto here = entry++;
    if (here->input.common(input) == here->input.count()) remove(here);
  }
  while (bytes_ + bytes > max_bytes_) remove(std::prev(entries_.end()));
  entries_.push_front({std::move(input), std::move(cache), bytes});
  bytes_ += bytes;
}

void PrefixCache::remove(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes;
  entries_.erase(entry);
}

void PrefixCache::clear() {
  entries_.clear();
  bytes_ = 0;
}

}  // namespace fovea
