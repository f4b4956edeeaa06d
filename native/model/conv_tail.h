// What a layer with a short convolution remembers of a sequence. Attention needs every row; here a row sees only a few
// before it, so what stays are the last rows, which drafts may take back, and a few every now and then, from which a
// later prompt may go on.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/ops.h"

namespace fovea {

class ConvTail {
 public:
  // A row sees `reach` rows before it, of `width` numbers each; before the first row of a sequence these are zeros.
  ConvTail(Ops& ops, int64_t reach, int64_t width);

  // The rows that the next one sees: out (reach, width).
  void copy_past(const Tensor& out) const;
  // rows (n, width).
  void append(const Tensor& rows);
  // Forgets the last n rows, n <= length(). The next one may only be appended where resumable(length()) is length().
  void drop_last(int64_t n);
  int64_t length() const { return length_; }

  // The largest number of rows, at most n, behind which another may be appended: what these see is still there.
  int64_t resumable(int64_t n) const;
  // Whatever it was, it becomes the first n rows of another, n == other.resumable(n).
  void go_on_from(const ConvTail& other, int64_t n);

  // resumable(length()) must be length().
  ConvTail copy() const;

  // Gives back memory that it does not need now.
  void shrink();
  size_t bytes() const { return memory_.bytes(); }

 private:
  bool is_needed(int64_t row, int64_t length) const;
  void reserve(int64_t n);
  void move(int64_t capacity);
  Tensor view(int64_t begin, int64_t count) const;
  int64_t past_of(int64_t n) const;

  Ops& ops_;
  int64_t reach_;
  int64_t width_;
  Buffer memory_;              // (capacity_, width_), of which the rows in held_ are there
  std::vector<int64_t> held_;  // ascending numbers of rows of the sequence; the zeros before it count from -reach
  int64_t capacity_ = 0;
  int64_t length_ = 0;
};

}  // namespace fovea
