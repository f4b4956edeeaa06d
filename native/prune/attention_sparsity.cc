#include "prune/attention_sparsity.h"

#include <algorithm>

#include "prune/attention_mass.h"

namespace fovea {

double attention_sparsity(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule, std::span<const KeyRange> sees,
                          float below) {
  int64_t small = 0, all = 0;
  const int64_t n = q.rows(), group = q.shape[1] / k.n_heads();
  for (int64_t row = 0; row < n; ++row) {
    std::vector<KeyRange> of_row;  // (1), or (n_kv_heads, 1)
    for (int64_t i = row; i < std::ssize(sees); i += n) of_row.push_back(sees[static_cast<size_t>(i)]);
    // The mass of one query is its probabilities.
    const AttentionMass mass = attention_mass(ops, q.slice(row, 1), k, rule, of_row);
    for (int64_t head = 0; head < mass.n_heads; ++head) {
      const KeyRange& keys = of_row[of_row.size() == 1 ? 0 : static_cast<size_t>(head / group)];
      const auto numbers = mass.numbers.begin() + head * mass.n_keys;
      const auto begin = numbers + keys.begin, end = numbers + keys.end;
      const float limit = below * *std::max_element(begin, end);
      small += std::count_if(begin, end, [&](float p) { return p < limit; });
      all += keys.end - keys.begin;
    }
  }
  return all == 0 ? 0 : static_cast<double>(small) / static_cast<double>(all);
}

}  // namespace fovea
