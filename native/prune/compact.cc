#include "prune/compact.h"

#include <algorithm>

namespace fovea {
namespace {

template <typename T>
std::vector<T> picked(const std::vector<T>& values, const RowSet& rows) {
  std::vector<T> out;
  out.reserve(rows.size());
  for (int32_t row : rows) out.push_back(values[static_cast<size_t>(row)]);
  return out;
}

// Values of one layer, of all heads together or of each, as the rows are: where one of the two is per head, so is the
// result.
template <typename T>
std::vector<std::vector<T>> carried(std::span<const std::vector<T>> values, std::span<const RowSet> rows) {
  std::vector<std::vector<T>> out;
  for (size_t i = 0; i < std::max(values.size(), rows.size()); ++i)
    out.push_back(picked(values[i % values.size()], rows[i % rows.size()]));
  return out;
}

}  // namespace

void compact(CacheRows& cache, CacheState& state, std::span<const RowSet> rows) {
  const auto n_layers = static_cast<size_t>(cache.n_layers());
  const auto of_layer = [&](const auto& entries, size_t layer) {
    const size_t n = entries.size() / n_layers;
    return std::span(entries).subspan(layer * n, n);
  };
  for (auto& [name, scores] : state.scores.all()) {
    std::vector<Scores> moved;
    for (size_t i = 0; i < scores.size(); ++i)  // rows that came since they were made
      scores[i].resize(static_cast<size_t>(cache.length(static_cast<int>(i * n_layers / scores.size()))), 0.0F);
    for (size_t layer = 0; layer < n_layers; ++layer)
      for (Scores& values : carried<float>(of_layer(scores, layer), of_layer(rows, layer)))
        moved.push_back(std::move(values));
    scores = std::move(moved);
  }
  for (size_t layer = 0; layer < n_layers; ++layer) {
    const std::span<const RowSet> kept = of_layer(rows, layer);
    CacheLayer& notes = state.layers[layer];
    for (auto& [tap, masses] : notes.masses) masses = carried<float>(masses, kept);
    if (!notes.origin.empty()) notes.origin = carried<int32_t>(notes.origin, kept);
    if (static_cast<int64_t>(kept[0].size()) < cache.length(static_cast<int>(layer)))
      cache.keep(static_cast<int>(layer), kept);
  }
}

}  // namespace fovea
