// Cosines between rows, computed when they are asked for: greedy selection reads few of all pairs.
//
// Rows of one image point nearly the same way, so their cosines differ in the last digits of an f32 and greedy choices
// would hang on rounding. Here products of f32 rows are summed in f64, and the lengths are divided by afterwards: a
// cosine is good to about 1e-15, and equal rows have equal cosines.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "ops/ops.h"

namespace fovea {

class Cosines {
 public:
  // rows (n, d), read until the last call; a row of zeros has cosine 0 with everything. Throws kNumeric if a row holds
  // NaN or infinity.
  Cosines(Ops& ops, const Tensor& rows);

  int64_t n() const { return rows_.rows(); }
  bool is_zero(size_t i) const { return scale_[i] == 0; }
  // Says that `asked` rows will be asked for, one after another. Where they are many, all pairs are computed at once
  // and kept, if that takes no more than 128 MB: rows that do not fit a cache are then not read again for each of them.
  void expect(int64_t asked);
  // Row i with every row (n); valid until the next call.
  std::span<const double> of(int64_t i);
  // Every row with every row (n, n).
  std::vector<double> all();
  // The largest cosine of each row with another (n); minus infinity if there is none.
  std::vector<double> nearest_other();
  // Each of rows a with each of rows b: (a.size(), b.size()).
  std::vector<double> between(std::span<const int32_t> a, std::span<const int32_t> b);
  // Every row with every one of vectors (m, d): (n, m). Throws kPlan if they are not as wide.
  std::vector<double> with(const Tensor& vectors);
  // The mean cosine of each row with all others (n); 0 if there are none.
  std::vector<double> mean_to_others() const;

 private:
  // Calls see(first, count, right) for blocks of rows, each with itself and the rows behind it: block_ holds (count,
  // right) cosines of rows first + i with rows first + j. Pairs with the rows before were seen from the other side.
  template <typename F>
  void each_block(F&& see);

  void fill(double* cosines);  // (n, n), as all()

  Ops& ops_;
  Tensor rows_;
  std::vector<double> scale_;  // (n) 1 / length, or 0
  AlignedBuffer pairs_;        // (n, n) doubles, or empty
  std::vector<double> block_;  // scratch
};

}  // namespace fovea
