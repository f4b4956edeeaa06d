#include "prune/cosines.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops/device_array.h"
#include "prune/select_checks.h"

namespace fovea {
namespace {

// x (n, d) on the host. Throws kNumeric if a row holds NaN or infinity.
std::vector<float> finite_rows(Ops& ops, const Tensor& x) {
  std::vector<float> values(static_cast<size_t>(x.elements()));
  if (values.empty()) return values;
  if (!ops.all_finite(x)) refuse_nan();
  ops.copy_to_host(x, values.data());
  return values;
}

// 1 / length of each row of x (n, d), or 0 of a row of zeros.
std::vector<double> inverse_lengths(Ops& ops, const Tensor& x) {
  constexpr int64_t kSome = 64;  // rows at a time: memory that is new costs more than what is done with it
  const auto d = static_cast<size_t>(x.row_elements());
  std::vector<double> scale;
  for (int64_t begin = 0; begin < x.rows(); begin += kSome) {
    const std::vector<float> values = finite_rows(ops, x.slice(begin, std::min(kSome, x.rows() - begin)));
    for (size_t row = 0; row * d < values.size(); ++row) {
      double square[8] = {};  // side by side, so that no sum waits for the one before it
      for (size_t c = 0; c < d; ++c) square[c % 8] += double{values[row * d + c]} * values[row * d + c];
      double sum = 0;
      for (const double part : square) sum += part;
      scale.push_back(sum == 0 ? 0 : 1 / std::sqrt(sum));
    }
  }
  return scale;
}

// dots (a.size(), b.size()) of rows of these scales become cosines. The scales meet first, so that a pair has the same
// cosine both ways round.
void to_cosines(std::span<double> dots, std::span<const double> a, std::span<const double> b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j) dots[i * b.size() + j] *= a[i] * b[j];
}

}  // namespace

Cosines::Cosines(Ops& ops, const Tensor& rows) : ops_(ops), rows_(rows), scale_(inverse_lengths(ops, rows)) {}

void Cosines::expect(int64_t asked) {
  constexpr int64_t kMostPairs = int64_t{1} << 24;
  if (pairs_.bytes() > 0 || asked < n() / 8 || n() * n() > kMostPairs) return;
  pairs_ = AlignedBuffer(scale_.size() * scale_.size() * sizeof(double));
  fill(pairs_.as<double>());
}

std::span<const double> Cosines::of(int64_t i) {
  if (pairs_.bytes() > 0) return {pairs_.as<double>() + static_cast<size_t>(i) * scale_.size(), scale_.size()};
  block_.resize(scale_.size());
  ops_.dot_rows(rows_.slice(i, 1), rows_, block_);
  to_cosines(block_, {&scale_[static_cast<size_t>(i)], 1}, scale_);
  return block_;
}

template <typename F>
void Cosines::each_block(F&& see) {
  constexpr size_t kBlock = 64;
  const size_t size = scale_.size();
  for (size_t first = 0; first < size; first += kBlock) {
    const size_t count = std::min(kBlock, size - first), right = size - first;
    block_.resize(count * right);
    const Tensor rows = rows_.slice(static_cast<int64_t>(first), static_cast<int64_t>(right));
    ops_.dot_rows(rows.slice(0, static_cast<int64_t>(count)), rows, block_);
    const std::span<const double> scales = std::span(scale_).subspan(first);
    to_cosines(block_, scales.first(count), scales);
    see(first, count, right);
  }
}

std::vector<double> Cosines::all() {
  const size_t size = scale_.size();
  std::vector<double> cosines(size * size);
  fill(cosines.data());
  return cosines;
}

void Cosines::fill(double* cosines) {
  const size_t size = scale_.size();
  each_block([&](size_t first, size_t count, size_t right) {
    double* corner = cosines + first * size + first;
    for (size_t i = 0; i < count; ++i) std::copy_n(&block_[i * right], right, corner + i * size);
    // Mirrored. In this order neighbours are written together; the block is small enough to be read across.
    for (size_t j = count; j < right; ++j)
      for (size_t i = 0; i < count; ++i) corner[j * size + i] = block_[i * right + j];
  });
}

std::vector<double> Cosines::nearest_other() {
  const size_t size = scale_.size();
  std::vector<double> nearest(size, -std::numeric_limits<double>::infinity());
  if (pairs_.bytes() > 0) {
    for (size_t i = 0; i < size; ++i)
      for (size_t j = 0; j < size; ++j)
        if (i != j) nearest[i] = std::max(nearest[i], pairs_.as<double>()[i * size + j]);
    return nearest;
  }
  each_block([&](size_t first, size_t count, size_t right) {
    for (size_t i = 0; i < count; ++i)
      for (size_t j = i + 1; j < right; ++j) {
        nearest[first + i] = std::max(nearest[first + i], block_[i * right + j]);
        nearest[first + j] = std::max(nearest[first + j], block_[i * right + j]);
      }
  });
  return nearest;
}

std::vector<double> Cosines::between(std::span<const int32_t> a, std::span<const int32_t> b) {
  DeviceArray memory_a, memory_b;
  const auto pick = [&](std::span<const int32_t> rows, DeviceArray& memory, std::vector<double>& scales) {
    for (const int32_t row : rows) scales.push_back(scale_[static_cast<size_t>(row)]);
    const Tensor picked = memory.resize(ops_, {std::ssize(rows), rows_.row_elements()});
    ops_.gather_rows(rows_, rows, picked);
    return picked;
  };
  std::vector<double> scale_a, scale_b, cosines(a.size() * b.size());
  const Tensor x = pick(a, memory_a, scale_a), y = pick(b, memory_b, scale_b);
  ops_.dot_rows(x, y, cosines);
  to_cosines(cosines, scale_a, scale_b);
  return cosines;
}

std::vector<double> Cosines::with(const Tensor& vectors) {
  if (vectors.row_elements() != rows_.row_elements())
    throw Error(ErrorCode::kPlan,
                "a stage compares vectors of " + std::to_string(rows_.row_elements()) + " numbers with vectors of " +
                    std::to_string(vectors.row_elements()) +
                    "; compare rows of the decoder with its text, and rows of the tower with each other");
  std::vector<double> cosines(scale_.size() * static_cast<size_t>(vectors.rows()));
  ops_.dot_rows(rows_, vectors, cosines);
  to_cosines(cosines, scale_, inverse_lengths(ops_, vectors));
  return cosines;
}

std::vector<double> Cosines::mean_to_others() const {
  const size_t size = scale_.size(), d = static_cast<size_t>(rows_.row_elements());
  std::vector<double> mean(size, 0.0);
  if (size < 2) return mean;
  // The sum over all rows is one product with the sum of all rows at length 1; a row's own cosine, 1, is taken out.
  const std::vector<float> values = finite_rows(ops_, rows_);
  std::vector<double> sum(d, 0.0);
  for (size_t i = 0; i < values.size(); ++i) sum[i % d] += values[i] * scale_[i / d];
  for (size_t row = 0; row < size; ++row) {
    if (is_zero(row)) continue;
    double along = 0;
    for (size_t c = 0; c < d; ++c) along += values[row * d + c] * sum[c];
    mean[row] = (along * scale_[row] - 1) / static_cast<double>(size - 1);
  }
  return mean;
}

}  // namespace fovea
