// What every vision tower does: turn normalised pixels into rows of features, and let others see, merge and drop rows
// on the way.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "prune/row_stream.h"
#include "tensor/tensor.h"

namespace fovea {

struct TowerFacts {
  int n_layers = 0;  // that run
  int64_t d_model = 0;
  int64_t n_heads = 0;
  int64_t d_ff = 0;
  int64_t rows = 0;  // of one image in the tower, its class row among them
  int64_t image_size = 0;
  int64_t patch_size = 0;
  bool has_class_row = false;
  int64_t frames = 1;  // of a video that it sees at once
};

// What a layer attended with: (n_rows, n_heads, d_head) of the rows as they entered the layer.
struct TowerAttention {
  Tensor q, k;
  float scale = 0;
  bool in_windows = false;  // rows saw only those of their window, not the whole image
};

// What happens between a tower's layers. Each image is a sequence of the stream and its patches are a span; a class
// row stands outside and always stays.
class TowerHook {
 public:
  virtual ~TowerHook() = default;
  // Rows are embedded, no layer has run. patches (n_images * n_patches, 3 * patch_size^2): the pixels of each.
  virtual void embedded(RowStream& stream, const Tensor& patches) = 0;
  // Between the attention and the FFN of a layer.
  virtual void after_attention(int layer, RowStream& stream, const TowerAttention& attention) = 0;
};

class VisionTower {
 public:
  virtual ~VisionTower() = default;
  virtual TowerFacts facts() const = 0;
  virtual int64_t d_features() const = 0;
  // Rows that an image of this size becomes. Throws kInvalidArgument for a size the tower cannot take.
  virtual int64_t rows_of(int64_t width, int64_t height) const = 0;
  // pixels (n_images, 3, height, width), or of videos (n_images, TowerFacts::frames * 3, height, width), to features
  // (n_images * rows, d_features). Where the hook dropped rows, those that are left stand at the beginning of features,
  // image after image; kept has, per image, their places among the image's rows. Returns false, leaving features half
  // done, if cancelled became true; it is looked at before each block.
  virtual bool forward(const Tensor& pixels, TowerHook& hook, const Tensor& features,
                       std::vector<std::vector<int32_t>>& kept, const std::atomic<bool>& cancelled) = 0;
  // Gives back the memory that forward keeps for the next call.
  virtual void free_scratch() = 0;
};

}  // namespace fovea
