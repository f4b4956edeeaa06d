// What every vision tower does: turn normalised pixels into rows of features.
#pragma once

#include <atomic>
#include <cstdint>

#include "tensor/tensor.h"

namespace fovea {

struct TowerFacts {
  int n_layers = 0;  // that run
  int64_t d_model = 0;
  int64_t n_heads = 0;
  int64_t image_size = 0;
  int64_t patch_size = 0;
};

class VisionTower {
 public:
  virtual ~VisionTower() = default;
  virtual TowerFacts facts() const = 0;
  virtual int64_t d_features() const = 0;
  // Rows that an image of this size becomes. Throws kInvalidArgument for a size the tower cannot take.
  virtual int64_t rows_of(int64_t width, int64_t height) const = 0;
  // pixels (n_images, 3, height, width) to features (n_images * rows, d_features). Returns false, leaving features
  // half done, if cancelled became true; it is looked at before each block.
  virtual bool forward(const Tensor& pixels, const Tensor& features, const std::atomic<bool>& cancelled) = 0;
};

}  // namespace fovea
