// What every projector does: turn rows of tower features into rows of the decoder's stream.
#pragma once

#include "tensor/tensor.h"

namespace fovea {

class Projector {
 public:
  virtual ~Projector() = default;
  // features (n_rows, d_features) to out (n_rows, d_model).
  virtual void forward(const Tensor& features, const Tensor& out) = 0;
  // Multiply-accumulates for one row.
  virtual int64_t macs_per_row() const = 0;
};

}  // namespace fovea
