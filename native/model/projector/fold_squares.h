// Squares of patches as one long row each, for projectors that make one row of the decoder of several patches.
#pragma once

#include "model/projector/squares.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

// features (n_rows, d), `columns` patches side by side, to (n_rows / fold^2, fold^2 * d) in memory. In the order of
// square_order.
inline Tensor fold_squares(Ops& ops, const Tensor& features, int64_t columns, int64_t fold, DeviceArray& memory) {
  const Tensor patches = memory.resize(ops, {features.rows(), features.row_elements()});
  ops.gather_rows(features, square_order(features.rows(), columns, fold), patches);
  const int64_t square = fold * fold;
  return {patches.data, patches.dtype, patches.device, {features.rows() / square, square * features.row_elements()}};
}

}  // namespace fovea
