// Rows in blocks, so that what is wide between two products is never there for all of them at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea {

// Calls fn(begin, count) for blocks of about equal size that cover m rows: as many as have about 16 MB of floats
// `width` wide, but at least 256, which products run at full speed with.
template <typename F>
void for_row_blocks(int64_t m, int64_t width, F&& fn) {
  constexpr int64_t kFloats = int64_t{1} << 22, kLeast = 256;
  const int64_t most = std::max(kLeast, kFloats / width), blocks = (m + most - 1) / most;
  for (int64_t i = 0, begin = 0; i < blocks; ++i) {
    const int64_t end = m * (i + 1) / blocks;
    fn(begin, end - begin);
    begin = end;
  }
}

}  // namespace fovea
