#include "ops/packed_key_values.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

constexpr int64_t kAnswerRows = 64;                  // room for a short answer behind the prompt
constexpr int64_t kWorthSharing = int64_t{1} << 16;  // numbers to move, below which waking a thread costs more

int64_t whole_panels(int64_t rows) { return (rows + kPanel - 1) / kPanel * kPanel; }
size_t bytes_of(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

}  // namespace

PackedKeyValues::PackedKeyValues(const KernelTable& kernels, ThreadPool& pool, int64_t n_heads, int64_t d_head)
    : kernels_(kernels), pool_(pool), n_heads_(n_heads), d_head_(d_head) {}

// Calls fn(head) for every head, of which it moves so many rows.
template <typename F>
void PackedKeyValues::for_heads(int64_t rows, F&& fn) const {
  if (rows * n_heads_ * d_head_ >= kWorthSharing) {
    pool_.parallel_for(n_heads_, fn);
  } else {
    for (int64_t head = 0; head < n_heads_; ++head) fn(head);
  }
}

void PackedKeyValues::append(const Tensor& k, const Tensor& v) {
  const int64_t n = k.rows();
  require_shapes(is_f32(k, 3) && is_f32(v, 3) && same_shape(k, v) && k.shape[1] == n_heads_ && k.shape[2] == d_head_,
                 "KeyValues", "expected k and v (n, n_heads, d_head)", {{"k", k}, {"v", v}});
  reserve(rows_ + n);
  for_heads(n, [&](int64_t head) {
    append_keys(k.as<float>() + head * d_head_, k.row_stride, n, keys(head));
    const float* values_of = v.as<float>() + head * d_head_;
    for (int64_t panel = 0; panel < value_panels(); ++panel)
      kernels_.pack_columns(values_of + panel * kPanel, v.row_stride, n, std::min(kPanel, d_head_ - panel * kPanel),
                            values(head) + (panel * capacity_ + rows_) * kPanel);
  });
  rows_ += n;
}

// k (n, d_head) behind the rows of one head: one by one up to the next panel, then panel by panel.
void PackedKeyValues::append_keys(const float* k, int64_t stride, int64_t n, float* keys) const {
  const int64_t singles = std::min(n, whole_panels(rows_) - rows_);
  for (int64_t row = 0; row < singles; ++row)
    for (int64_t i = 0; i < d_head_; ++i) keys[key_at(rows_ + row, i, d_head_)] = k[row * stride + i];
  if (singles < n)
    kernels_.pack_rows(k + singles * stride, stride, n - singles, d_head_, keys + (rows_ + singles) * d_head_);
}

void PackedKeyValues::append(const KeyValues& other, int64_t begin, int64_t n) {
  const auto* from = dynamic_cast<const PackedKeyValues*>(&other);
  if (from == nullptr || from == this || from->n_heads_ != n_heads_ || from->d_head_ != d_head_ || begin < 0 || n < 0 ||
      n > from->rows_ - begin)
    throw Error(ErrorCode::kInternal, "KeyValues: rows of another that is not alike, or does not hold them");
  if (n == 0) return;  // neither may have memory yet
  reserve(rows_ + n);
  for_heads(n, [&](int64_t head) {
    const float* source = from->keys(head);
    float* target = keys(head);
    if (begin % kPanel == 0 && rows_ % kPanel == 0) {
      std::memcpy(target + rows_ * d_head_, source + begin * d_head_, bytes_of(whole_panels(n) * d_head_));
    } else {
      for (int64_t row = 0; row < n; ++row)
        for (int64_t i = 0; i < d_head_; ++i)
          target[key_at(rows_ + row, i, d_head_)] = source[key_at(begin + row, i, d_head_)];
    }
    for (int64_t panel = 0; panel < value_panels(); ++panel)
      std::memcpy(values(head) + (panel * capacity_ + rows_) * kPanel,
                  from->values(head) + (panel * from->capacity_ + begin) * kPanel, bytes_of(n * kPanel));
  });
  rows_ += n;
}

void PackedKeyValues::keep(std::span<const std::vector<int32_t>> lists) {
  const auto n_lists = std::ssize(lists);
  if (n_lists != 1 && n_lists != n_heads_) throw Error(ErrorCode::kInternal, "one list of rows, or one per KV head");
  const auto count = std::ssize(lists[0]);
  for (const std::vector<int32_t>& kept : lists) {
    if (std::ssize(kept) != count)
      throw Error(ErrorCode::kInternal, "the KV heads of a layer keep different numbers of rows");
    // In place, front to back: a row only moves forward onto rows that have already moved.
    int64_t before = -1;
    for (const int32_t row : kept) {
      if (row <= before || row >= rows_) throw Error(ErrorCode::kInternal, "kept rows must ascend and be there");
      before = row;
    }
  }
  for_heads(count, [&](int64_t head) {
    const std::vector<int32_t>& kept = lists[static_cast<size_t>(n_lists == 1 ? 0 : head)];
    float *keys_of = keys(head), *values_of = values(head);
    for (int64_t to = 0; to < count; ++to) {
      const int64_t row = kept[static_cast<size_t>(to)];
      if (row == to) continue;
      for (int64_t i = 0; i < d_head_; ++i) keys_of[key_at(to, i, d_head_)] = keys_of[key_at(row, i, d_head_)];
      for (int64_t panel = 0; panel < value_panels(); ++panel)
        std::memcpy(values_of + (panel * capacity_ + to) * kPanel, values_of + (panel * capacity_ + row) * kPanel,
                    bytes_of(kPanel));
    }
  });
  rows_ = count;
}

void PackedKeyValues::drop_last(int64_t n) {
  if (n < 0 || n > rows_)
    throw Error(ErrorCode::kInternal, "a layer's cache was asked to drop more rows than it holds");
  rows_ -= n;
}

void PackedKeyValues::reserve(int64_t rows) {
  // Half as much again: few copies, little waste.
  if (rows > capacity_) move_to(whole_panels(std::max(rows + kAnswerRows, capacity_ + capacity_ / 2)));
}

void PackedKeyValues::shrink() {
  const int64_t enough = whole_panels(rows_ + kAnswerRows);
  if (capacity_ > enough) move_to(enough);
}

void PackedKeyValues::move_to(int64_t capacity) {
  PackedKeyValues moved(kernels_, pool_, n_heads_, d_head_);
  moved.capacity_ = capacity;
  moved.k_ = AlignedBuffer(bytes_of(n_heads_ * capacity * d_head_));
  moved.v_ = AlignedBuffer(bytes_of(n_heads_ * capacity * value_panels() * kPanel));
  moved.append(*this, 0, rows_);
  k_ = std::move(moved.k_);
  v_ = std::move(moved.v_);
  capacity_ = capacity;
}

std::unique_ptr<KeyValues> CpuOps::key_values(int64_t n_heads, int64_t d_head) {
  return std::make_unique<PackedKeyValues>(kernels_, pool_, n_heads, d_head);
}

}  // namespace fovea
