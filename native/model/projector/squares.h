// The order in which projectors that fold squares of patches take an image's patches.
#pragma once

#include <cstdint>
#include <vector>

namespace fovea {

// The n_patches of an image, `columns` side by side: square after square of fold x fold, row by row inside a square.
inline std::vector<int32_t> square_order(int64_t n_patches, int64_t columns, int64_t fold) {
  std::vector<int32_t> order;
  order.reserve(static_cast<size_t>(n_patches));
  for (int64_t top = 0; top < n_patches / columns; top += fold)
    for (int64_t left = 0; left < columns; left += fold)
      for (int64_t row = top; row < top + fold; ++row)
        for (int64_t column = left; column < left + fold; ++column)
          order.push_back(static_cast<int32_t>(row * columns + column));
  return order;
}

}  // namespace fovea
