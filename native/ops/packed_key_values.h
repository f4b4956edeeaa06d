// The keys and values of a layer as panels that the attention kernels read forward, head after head. Strided rows would
// be read a few cache lines at a time, and keys turned into panels again for every row that is decoded.
#pragma once

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "ops/ops.h"

namespace fovea {

class PackedKeyValues final : public KeyValues {
 public:
  PackedKeyValues(const KernelTable& kernels, ThreadPool& pool, int64_t n_heads, int64_t d_head);

  int64_t rows() const override { return rows_; }
  int64_t n_heads() const override { return n_heads_; }
  int64_t d_head() const override { return d_head_; }
  size_t bytes() const override { return k_.bytes() + v_.bytes(); }

  void append(const Tensor& k, const Tensor& v) override;
  void append(const KeyValues& other, int64_t begin, int64_t n) override;
  void keep(std::span<const std::vector<int32_t>> lists) override;
  void drop_last(int64_t n) override;
  void shrink() override;

  // Rows that there is room for; whole panels.
  int64_t capacity() const { return capacity_; }
  // Of one head: [capacity / 16][d_head][16], a row of keys is a lane.
  float* keys(int64_t head) const { return k_.as<float>() + head * capacity_ * d_head_; }
  // Of one head: [ceil(d_head / 16)][capacity][16], a column of values is a lane.
  float* values(int64_t head) const { return v_.as<float>() + head * capacity_ * value_panels() * kPanel; }

 private:
  int64_t value_panels() const { return (d_head_ + kPanel - 1) / kPanel; }
  // Where number i of key `row` is.
  static int64_t key_at(int64_t row, int64_t i, int64_t d_head) {
    return (row / kPanel * d_head + i) * kPanel + row % kPanel;
  }
  void reserve(int64_t rows);
  void move_to(int64_t capacity);
  void append_keys(const float* k, int64_t stride, int64_t n, float* keys) const;
  template <typename F>
  void for_heads(int64_t rows, F&& fn) const;

  const KernelTable& kernels_;
  ThreadPool& pool_;
  int64_t n_heads_, d_head_;
  int64_t rows_ = 0, capacity_ = 0;
  AlignedBuffer k_, v_;
};

}  // namespace fovea
