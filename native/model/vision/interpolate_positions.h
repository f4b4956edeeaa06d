// Position embeddings of a grid of patches for another grid.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

// table (side * side, d) of a square grid as (rows * columns, d): bicubic with a = -0.75, pixels as areas (corners not
// aligned), edges repeated; as torch's interpolate, which transformers' interpolate_pos_encoding calls.
std::vector<float> interpolate_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns);

// The same for Qwen3-VL: bilinear, the corners of both grids on one another; as transformers' Qwen3VLVisionModel does.
std::vector<float> stretch_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns);

// The same for SigLIP 2: bilinear, each place the mean of all that it covers where the grid shrinks, pixels as areas;
// as torch's interpolate with antialias, which transformers' Siglip2VisionEmbeddings calls.
std::vector<float> resize_positions(std::span<const float> table, int64_t side, int64_t rows, int64_t columns);

}  // namespace fovea
