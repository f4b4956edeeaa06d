#include "prune/cosines.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "prune/select_checks.h"

namespace fovea {
namespace {

// Rows of x (n, d) at length 1, or 0, in f64. Throws kNumeric if one holds NaN or infinity.
std::vector<double> unit_rows(Ops& ops, const Tensor& x) {
  std::vector<float> values(static_cast<size_t>(x.elements()));
  if (values.empty()) return {};
  if (!ops.all_finite(x)) refuse_nan();
  ops.copy_to_host(x, values.data());
  const auto d = static_cast<size_t>(x.row_elements());
  std::vector<double> unit(values.begin(), values.end());
  for (size_t row = 0; row < unit.size(); row += d) {
    const std::span<double> u(unit.data() + row, d);
    double square = 0;
    for (const double value : u) square += value * value;
    if (square == 0) continue;
    for (double& value : u) value /= std::sqrt(square);
  }
  return unit;
}

}  // namespace

Cosines::Cosines(Ops& ops, const Tensor& rows) : ops_(ops) {
  const std::vector<double> unit = unit_rows(ops, rows);
  const auto n = static_cast<size_t>(rows.rows()), d = static_cast<size_t>(rows.row_elements());
  mean_.assign(d, 0.0);
  along_mean_.assign(n, 0.0);
  zero_.assign(n, true);
  if (n == 0) return;
  for (size_t i = 0; i < unit.size(); ++i) mean_[i % d] += unit[i] / static_cast<double>(n);
  for (const double value : mean_) mean_square_ += value * value;
  std::vector<float> rest(unit.size());
  for (size_t i = 0; i < unit.size(); ++i) {
    const double difference = unit[i] - mean_[i % d];
    along_mean_[i / d] += mean_[i % d] * difference;
    rest[i] = static_cast<float>(difference);
    if (unit[i] != 0) zero_[i / d] = false;
  }
  ops.copy_from_host(rest.data(), rest_.resize(ops, {rows.rows(), rows.row_elements()}));
}

std::span<const double> Cosines::block(int64_t first, int64_t count) {
  const Tensor out = dots_.resize(ops_, {count, n()});
  ops_.dot_rows(rest_.view().slice(first, count), rest_.view(), out);
  host_.resize(static_cast<size_t>(count * n()));
  ops_.copy_to_host(out, host_.data());
  block_.resize(host_.size());
  const auto width = static_cast<size_t>(n());
  for (size_t i = 0; i < block_.size(); ++i) {
    const size_t row = static_cast<size_t>(first) + i / width, column = i % width;
    block_[i] =
        zero_[row] || zero_[column] ? 0.0 : mean_square_ + along_mean_[row] + along_mean_[column] + double{host_[i]};
  }
  return block_;
}

std::vector<double> Cosines::with(const Tensor& vectors) {
  const auto d = mean_.size(), m = static_cast<size_t>(vectors.rows());
  if (static_cast<size_t>(vectors.row_elements()) != d)
    throw Error(ErrorCode::kPlan,
                "a stage compares vectors of " + std::to_string(d) + " numbers with vectors of " +
                    std::to_string(vectors.row_elements()) +
                    "; compare rows of the decoder with its text, and rows of the tower with each other");
  std::vector<double> cosines(static_cast<size_t>(n()) * m);
  if (cosines.empty()) return cosines;
  const std::vector<double> unit = unit_rows(ops_, vectors);
  std::vector<double> along(m, 0.0);  // the mean with each vector
  for (size_t i = 0; i < unit.size(); ++i) along[i / d] += mean_[i % d] * unit[i];
  const std::vector<float> narrow(unit.begin(), unit.end());
  DeviceArray memory;
  const Tensor others = memory.resize(ops_, {vectors.rows(), vectors.row_elements()});
  ops_.copy_from_host(narrow.data(), others);
  const Tensor out = dots_.resize(ops_, {n(), vectors.rows()});
  ops_.dot_rows(rest_.view(), others, out);
  host_.resize(cosines.size());
  ops_.copy_to_host(out, host_.data());
  for (size_t row = 0, i = 0; row < zero_.size(); ++row)
    for (size_t j = 0; j < m; ++j, ++i) cosines[i] = zero_[row] ? 0.0 : along[j] + double{host_[i]};
  return cosines;
}

std::vector<double> Cosines::mean_to_others() const {
  std::vector<double> mean(static_cast<size_t>(n()), 0.0);
  if (mean.size() < 2) return mean;
  // The sum over all rows is one product with n times the mean; a row's own cosine, 1, is taken out again.
  const auto count = static_cast<double>(n());
  for (size_t i = 0; i < mean.size(); ++i)
    if (!zero_[i]) mean[i] = (count * (mean_square_ + along_mean_[i]) - 1) / (count - 1);
  return mean;
}

}  // namespace fovea
