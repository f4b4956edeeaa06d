// Which blocks of a picture its neighbours do not foretell (PixelPrune, methods-reduction 2C.1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

enum class BlockDistance { kMax, kMean, kRootMeanSquare };  // of the absolute differences of two blocks' numbers

// Blocks (n, width) in a raster of so many columns. Each is foretold from its left, upper and upper left neighbours a,
// b, c: b if c is like a and not like b, else a; the first row from the left, the first column from above. A block
// stays if it is farther than tau from what was foretold, and the first always does. A dropped block counts as what
// foretold it, so errors do not add up. Returns the blocks that stay, ascending.
std::vector<int32_t> select_unforeseen(std::span<const float> blocks, int64_t width, int64_t columns, double tau,
                                       BlockDistance distance);

}  // namespace fovea
