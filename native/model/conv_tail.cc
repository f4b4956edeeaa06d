#include "model/conv_tail.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "prune/depth_plan.h"

namespace fovea {
namespace {

constexpr int64_t kTakenBack = kMaxGuesses + 1;  // rows that may leave again: a draft's guesses, and the token before
constexpr int64_t kMark = 32;                    // a prompt may go on behind every so many rows

}  // namespace

ConvTail::ConvTail(Ops& ops, int64_t reach, int64_t width) : ops_(ops), reach_(reach), width_(width) {
  if (reach >= kMark)
    throw Error(ErrorCode::kInternal, "a convolution that reaches " + std::to_string(reach) + " rows");
}

Tensor ConvTail::view(int64_t begin, int64_t count) const {
  return Tensor(memory_.data(), DType::kF32, ops_.device(), {capacity_, width_}).slice(begin, count);
}

// Whether a row must be remembered by a sequence of this length.
bool ConvTail::is_needed(int64_t row, int64_t length) const {
  return row < 0 || row >= length - kTakenBack - reach_ || row % kMark >= kMark - reach_;
}

// Where in memory the past of row n begins, or -1 if some of it is gone.
int64_t ConvTail::past_of(int64_t n) const {
  const int64_t end = std::lower_bound(held_.begin(), held_.end(), n) - held_.begin();
  return end >= reach_ && (reach_ == 0 || held_[static_cast<size_t>(end - reach_)] == n - reach_) ? end - reach_ : -1;
}

int64_t ConvTail::resumable(int64_t n) const {
  n = std::min(n, length_);
  while (n > 0 && past_of(n) < 0) --n;
  return n;
}

void ConvTail::copy_past(const Tensor& out) const {
  if (length_ == 0) {
    const std::vector<float> zeros(static_cast<size_t>(reach_ * width_), 0.0F);
    if (!zeros.empty()) ops_.copy_from_host(zeros.data(), out);
    return;
  }
  const int64_t begin = past_of(length_);
  if (begin < 0) throw Error(ErrorCode::kInternal, "a convolution was asked for rows that it has forgotten");
  ops_.copy(view(begin, reach_), out);
}

void ConvTail::append(const Tensor& rows) {
  const int64_t n = rows.rows(), length = length_ + n;
  std::vector<int32_t> kept;
  for (int64_t row = 0; row < n; ++row)
    if (is_needed(length_ + row, length)) kept.push_back(static_cast<int32_t>(row));
  const auto n_kept = static_cast<int64_t>(kept.size());
  reserve(n_kept);
  const auto begin = static_cast<int64_t>(held_.size());
  if (n_kept > 0) ops_.gather_rows(rows, kept, view(begin, n_kept));
  for (int32_t row : kept) held_.push_back(length_ + row);
  length_ = length;
}

void ConvTail::drop_last(int64_t n) {
  if (n < 0 || n > length_)
    throw Error(ErrorCode::kInternal, "a layer's cache was asked to drop more rows than it holds");
  length_ -= n;
  held_.erase(std::lower_bound(held_.begin(), held_.end(), length_), held_.end());
}

void ConvTail::go_on_from(const ConvTail& other, int64_t n) {
  const int64_t count = std::lower_bound(other.held_.begin(), other.held_.end(), n) - other.held_.begin();
  held_.clear();
  length_ = n;
  capacity_ = 0;
  if (count == 0) return;
  move(count);
  ops_.copy(other.view(0, count), view(0, count));
  held_.assign(other.held_.begin(), other.held_.begin() + count);
}

ConvTail ConvTail::copy() const {
  ConvTail other(ops_, reach_, width_);
  other.go_on_from(*this, length_);
  return other;
}

// Makes room for n more rows: by forgetting, or else by growing.
void ConvTail::reserve(int64_t n) {
  if (capacity_ == 0) {  // the zeros before the sequence
    move(reach_ + n + kTakenBack);
    const std::vector<float> zeros(static_cast<size_t>(reach_ * width_), 0.0F);
    if (reach_ > 0) ops_.copy_from_host(zeros.data(), view(0, reach_));
    for (int64_t row = -reach_; row < 0; ++row) held_.push_back(row);
  }
  const auto held = [&] { return static_cast<int64_t>(held_.size()); };
  if (held() + n <= capacity_) return;
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < held(); ++i)
    if (is_needed(held_[static_cast<size_t>(i)], length_)) kept.push_back(static_cast<int32_t>(i));
  const auto n_kept = static_cast<int64_t>(kept.size());
  ops_.gather_rows(view(0, held()), kept, view(0, n_kept));
  for (size_t i = 0; i < kept.size(); ++i) held_[i] = held_[static_cast<size_t>(kept[i])];
  held_.resize(kept.size());
  // Room for as many rows as are forgotten at once, so that they are not moved for every new one.
  if (n_kept + n + kTakenBack > capacity_) move(n_kept + n + kTakenBack);
}

void ConvTail::shrink() {
  const auto held = static_cast<int64_t>(held_.size());
  if (capacity_ > held) move(held);
}

void ConvTail::move(int64_t capacity) {
  Buffer moved = ops_.allocate(static_cast<size_t>(capacity * width_) * sizeof(float));
  const auto held = static_cast<int64_t>(held_.size());
  const Tensor to(moved.data(), DType::kF32, ops_.device(), {capacity, width_});
  if (held > 0) ops_.copy(view(0, held), to.slice(0, held));
  memory_ = std::move(moved);
  capacity_ = capacity;
}

}  // namespace fovea
