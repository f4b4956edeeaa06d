#include "prune/attention_sparsity.h"

#include <algorithm>

#include "prune/attention_mass.h"

namespace fovea {

double attention_sparsity(Ops& ops, const Tensor& q, const Tensor& k, float scale, std::span<const int64_t> visible,
                          float below) {
  int64_t small = 0, all = 0;
  for (int64_t row = 0; row < q.rows(); ++row) {
    // The mass of one query is its probabilities.
    const int64_t seen = visible[static_cast<size_t>(row)];
    const AttentionMass mass =
        attention_mass(ops, q.slice(row, 1), k.slice(0, seen), scale, visible.subspan(static_cast<size_t>(row), 1));
    for (auto head = mass.numbers.begin(); head != mass.numbers.end(); head += seen) {
      const float limit = below * *std::max_element(head, head + seen);
      small += std::count_if(head, head + seen, [&](float p) { return p < limit; });
      all += seen;
    }
  }
  return all == 0 ? 0 : static_cast<double>(small) / static_cast<double>(all);
}

}  // namespace fovea
