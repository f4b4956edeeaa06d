// The vision transformer of CLIP, SigLIP and InternViT up to the features that a projector takes: patch embedding,
// class and position embeddings, pre-norm blocks with full attention inside one image. SigLIP has no class row and no
// norm before the first block; its features may be normed behind the last one. SigLIP 2 (NaFlex) takes pictures of any
// size. InternViT scales what its halves add.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/vision/vision_tower.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

// What pictures a tower takes.
enum class PictureSizes {
  kOwn,      // squares of image_size
  kSmaller,  // and smaller ones, with interpolated position embeddings
  kAny,      // all, with position embeddings resized to them
};

struct ClipTowerConfig {
  int n_layers = 0;
  int64_t d_model = 0;
  int64_t n_heads = 0;
  int64_t d_ff = 0;
  int64_t image_size = 0;  // pixels, square; of towers for any size that which the table of positions is for
  int64_t patch_size = 0;
  float norm_eps = 0;
  Activation activation = Activation::kQuickGelu;
  // Hidden states whose features are concatenated: 0 is the input of block 0, i the output of block i - 1.
  std::vector<int> feature_states{};
  bool has_class_row = true;
  bool keep_class_row = false;  // "full" keeps the class row, "default" drops it
  bool pre_norm = true;         // before block 0
  bool post_norm = false;       // of the last hidden state, which is then the only feature state
  PictureSizes sizes = PictureSizes::kSmaller;
  int64_t unit = 1;  // patches: of a tower for any size, sides of pictures are multiples of it

  int64_t side() const { return image_size / patch_size; }  // patches
  int64_t n_patches() const { return side() * side(); }
  int64_t class_rows() const { return has_class_row ? 1 : 0; }
  int64_t image_rows() const { return n_patches() + (keep_class_row ? 1 : 0); }
  int64_t d_features() const { return d_model * static_cast<int64_t>(feature_states.size()); }
};

struct ClipLayer {
  DeviceArray norm1_weight, norm1_bias;          // (d_model)
  std::unique_ptr<PackedMatrix> q, k, v, out;    // (d_model, d_model)
  DeviceArray q_bias, k_bias, v_bias, out_bias;  // (d_model); of q, k and v: or empty
  DeviceArray norm2_weight, norm2_bias;          // (d_model)
  std::unique_ptr<PackedMatrix> fc1, fc2;        // (d_ff, d_model), (d_model, d_ff)
  DeviceArray fc1_bias, fc2_bias;                // (d_ff), (d_model)
  DeviceArray scale1, scale2;                    // (d_model) or empty: of attention and FFN, as they are added
};

struct ClipWeights {
  std::unique_ptr<PackedMatrix> patch;           // (d_model, 3 * patch_size^2)
  DeviceArray class_row;                         // (1, d_model) or empty
  DeviceArray positions;                         // (class_rows + n_patches, d_model)
  DeviceArray patch_bias;                        // (d_model) or empty
  DeviceArray pre_norm_weight, pre_norm_bias;    // (d_model) or empty
  DeviceArray post_norm_weight, post_norm_bias;  // (d_model) or empty
  std::vector<ClipLayer> layers;                 // only as many as the features need
};

class ClipTower final : public VisionTower {
 public:
  ClipTower(Ops& ops, ClipTowerConfig config, ClipWeights weights);

  TowerFacts facts() const override;
  int64_t d_features() const override { return config_.d_features(); }
  int64_t rows_of(int64_t width, int64_t height) const override;
  bool forward(const Tensor& pixels, TowerHook& hook, const Tensor& features, std::vector<std::vector<int32_t>>& kept,
               const std::atomic<bool>& cancelled) override;
  void free_scratch() override { scratch_ = {}; }

 private:
  const Tensor& positions(int64_t rows, int64_t columns);
  RowStream embed(const Tensor& pixels, TowerHook& hook);
  void block(int layer, RowStream& stream, TowerHook& hook);
  void add_linear(const Tensor& x, const PackedMatrix& w, const Tensor& bias, const Tensor& scale, const Tensor& to);
  int32_t image_row(int32_t origin) const;
  void take_features(int state, const RowStream& stream, int64_t image_rows, const Tensor& features);

  Ops& ops_;
  ClipTowerConfig config_;
  ClipWeights weights_;
  struct Scratch {
    DeviceArray hidden, normed, q, k, v, inner, added, key_bias;
  } scratch_;
  DeviceArray other_positions_;  // (class_rows + rows * columns, d_model), of the size below
  int64_t other_rows_ = 0, other_columns_ = 0;
};

}  // namespace fovea
