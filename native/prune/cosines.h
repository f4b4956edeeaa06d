// Cosines between rows, computed when they are asked for: greedy selection reads few of all pairs.
//
// Rows of one image point nearly the same way, so their cosines differ in the last digits of an f32 and greedy choices
// would hang on rounding. Here a row of length 1 is the mean of all plus a small rest: products with the mean are done
// in f64, products of rests in f32, where rounding is as small as they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

class Cosines {
 public:
  // rows (n, d); a row of zeros has cosine 0 with everything. Throws kNumeric if a row holds NaN or infinity.
  Cosines(Ops& ops, const Tensor& rows);

  int64_t n() const { return static_cast<int64_t>(along_mean_.size()); }
  bool is_zero(size_t i) const { return zero_[i]; }
  // Row i with every row (n); valid until the next call.
  std::span<const double> of(int64_t i) { return block(i, 1); }
  // Rows [first, first + count) with every row (count, n); valid until the next call.
  std::span<const double> block(int64_t first, int64_t count);
  // Every row with every one of vectors (m, d): (n, m). Throws kPlan if they are not as wide.
  std::vector<double> with(const Tensor& vectors);
  // The mean cosine of each row with all others (n); 0 if there are none.
  std::vector<double> mean_to_others() const;

  // How many rows a caller that needs all pairs should ask for at a time.
  static constexpr int64_t kBlock = 64;

 private:
  Ops& ops_;
  std::vector<double> mean_;        // (d) of the rows at length 1
  double mean_square_ = 0;          // the mean with itself
  std::vector<double> along_mean_;  // (n) the mean with each rest
  std::vector<bool> zero_;          // (n) rows of zeros
  DeviceArray rest_, dots_;         // (n, d); scratch
  std::vector<float> host_;
  std::vector<double> block_;
};

}  // namespace fovea
