// Scores to scores: other scales, other sharpness, smoother over the picture. All keep NaN where it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

// (x - min + 1e-6) / (max - min + 1e-6): in (0, 1], and 1 if all are the same.
std::vector<float> min_max(std::span<const float> scores);

// x / mean |x|; unchanged if all are 0.
std::vector<float> by_mean(std::span<const float> scores);

std::vector<float> softmax(std::span<const float> scores, double temperature);

// x ^ exponent; negative scores count as 0.
std::vector<float> power(std::span<const float> scores, double exponent);

// exp(scale * x)
std::vector<float> exponential(std::span<const float> scores, double scale);

// A 3 x 3 Gaussian of standard deviation 1 over a picture of rows x columns scores in raster order. Beyond the edge it
// sees the row or column inside it (reflection). Unchanged unless the scores fill the grid and it has 2 x 2 or more.
std::vector<float> smooth_3x3(std::span<const float> scores, int64_t rows, int64_t columns);

}  // namespace fovea
