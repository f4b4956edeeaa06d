// What every projector does: turn rows of tower features into rows of the decoder's stream.
#pragma once

#include "tensor/tensor.h"

namespace fovea {

class Projector {
 public:
  virtual ~Projector() = default;
  // Side of the square of patches that becomes one row. Above 1, every patch must have come through the tower.
  virtual int64_t fold() const { return 1; }
  // How many more rows of the decoder's width each row brings along: number l is added to it behind decoder layer l.
  virtual int64_t planes() const { return 0; }
  // features (n_rows, d_features) of one image, `columns` patches side by side, to out (n_rows / fold^2, d_model * (1 +
  // planes)).
  virtual void forward(const Tensor& features, int64_t columns, const Tensor& out) = 0;
  // Multiply-accumulates for one row of out.
  virtual int64_t macs_per_row() const = 0;
};

}  // namespace fovea
