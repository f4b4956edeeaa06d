#include "model/decoder/visible_keys.h"

#include <algorithm>

namespace fovea {
namespace {

// Only a prompt's rows have an origin.
bool is_prompt(const Sequence& sequence) { return !sequence.origin.empty(); }

}  // namespace

int64_t seen_until(PromptView view, const Sequence& sequence, int64_t row) {
  if (view == PromptView::kPrompt && is_prompt(sequence)) return sequence.count;
  if (view != PromptView::kPicture) return row + 1;
  int64_t end = row + 1;
  bool is_inside = false;
  for (const Span& span : sequence.spans) {
    is_inside = (is_inside && span.is_joined) || (row >= span.begin && row < span.begin + span.count);
    if (is_inside) end = std::max(end, span.begin + span.count);
  }
  return end;
}

bool has_window(PromptView view, const Sequence& sequence, int32_t window) {
  return window > 0 && (view != PromptView::kPrompt || !is_prompt(sequence));
}

std::vector<KeyRange> visible_keys(PromptView view, int32_t window, const Sequence& sequence,
                                   std::span<const Position> positions, const KvCache& cache, int layer) {
  const int64_t n_cached = cache.length(layer) - sequence.count;
  const bool is_windowed = has_window(view, sequence, window);
  if (view == PromptView::kCausal && !is_windowed) return {};
  std::vector<KeyRange> ranges;
  bool is_causal = true;
  for (const std::vector<int32_t>& places : cache.places(layer)) {
    for (int64_t row = 0; row < sequence.count; ++row) {
      KeyRange range{0, n_cached + seen_until(view, sequence, row)};
      if (is_windowed) {
        const int32_t first = positions[static_cast<size_t>(row)].time - window + 1;
        range.begin = std::lower_bound(places.begin(), places.end(), first) - places.begin();
      }
      is_causal = is_causal && range == KeyRange{0, n_cached + row + 1};
      ranges.push_back(range);
    }
    if (!is_windowed) break;  // what differs between heads does not matter
  }
  if (is_causal) ranges.clear();
  return ranges;
}

}  // namespace fovea
