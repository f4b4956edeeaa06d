// Squares of patches as one long row each, for projectors that make one row of the decoder of several patches.
#pragma once

#include <vector>

#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

// features (n_rows, d), `columns` patches side by side, to (n_rows / fold^2, fold^2 * d) in memory. Inside a square,
// patches follow one another row by row.
inline Tensor fold_squares(Ops& ops, const Tensor& features, int64_t columns, int64_t fold, DeviceArray& memory) {
  std::vector<int32_t> order;
  for (int64_t top = 0; top < features.rows() / columns; top += fold)
    for (int64_t left = 0; left < columns; left += fold)
      for (int64_t row = top; row < top + fold; ++row)
        for (int64_t column = left; column < left + fold; ++column)
          order.push_back(static_cast<int32_t>(row * columns + column));
  const Tensor patches = memory.resize(ops, {features.rows(), features.row_elements()});
  ops.gather_rows(features, order, patches);
  const int64_t square = fold * fold;
  return {patches.data, patches.dtype, patches.device, {features.rows() / square, square * features.row_elements()}};
}

}  // namespace fovea
