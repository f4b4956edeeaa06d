// What the steps of a stage may ask of the place they run at: the attention of the layer at hand, and what the vision
// tower noted of an image. The engine implements it for every hook.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "prune/tower_tap.h"
#include "tensor/tensor.h"

namespace fovea {

// Attention probabilities of some query rows, summed over them: one number per head and key.
struct AttentionMass {
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;  // query head h reads key head h * n_kv_heads / n_heads
  int64_t n_keys = 0;
  std::vector<float> numbers;  // (n_heads, n_keys)

  std::vector<float> mean_over_heads() const;  // (n_keys)
};

class StageSource {
 public:
  virtual ~StageSource() = default;

  // What the layer at this hook would attend to if it ran now. queries and keys: rows of the sequence, ascending; a
  // query sees the keys that its layer lets it see. rope: with rotated queries and keys, as the layer does it.
  // Throws kPlan at hooks that have no attention; native/prune/plan.cc refuses such plans before they run.
  virtual AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) = 0;

  // What the tower noted for tap, of one image of the request: `width` numbers for each row that the image has before
  // anything is dropped. The plan asked for it (LoweredPlan::taps), so it is there.
  virtual const TapValue& tap(const TowerTap& tap, int32_t image) = 0;

  // How the rows of an image lie in the picture.
  virtual Raster raster(int32_t image) = 0;

  // Keys of the tower's layer at this hook, mean over heads, for rows of the sequence (ascending). Only inside the
  // tower: parsers refuse other hooks.
  virtual TapValue keys(std::span<const int32_t> rows) = 0;

  // Normalised pixels of each patch of an image (n_patches, 3 * patch_size^2). Only at the hook pixels.
  virtual TapValue patches(int32_t image) = 0;
};

}  // namespace fovea
