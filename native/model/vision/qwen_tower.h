// The vision transformers of Qwen2-VL, Qwen2.5-VL and Qwen3-VL: pictures of any size, patches turned by where they
// stand, pre-norm blocks. Qwen2.5-VL lets most layers attend in windows and has RMSNorm and a gated FFN; Qwen3-VL adds
// learned positions, stretched to the picture's grid, and hands out features of layers on the way (DeepStack).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/vision/vision_tower.h"
#include "model/weights.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

struct QwenTowerConfig {
  int n_layers = 0;
  int64_t d_model = 0;
  int64_t n_heads = 0;
  int64_t d_ff = 0;
  int64_t patch_size = 0;
  int64_t frames = 0;  // of a video that a patch spans; a picture stands still
  int64_t fold = 0;    // of the merger behind the tower: sides of pictures are multiples of patch_size * fold
  Activation activation = Activation::kQuickGelu;
  bool rms_norm = false;  // else LayerNorm
  bool gated = false;     // FFN
  bool patch_bias = false;
  float rope_theta = 10000;
  int64_t window = 0;              // patches along a window's side; 0: every layer attends to the whole picture
  std::vector<int> full_layers{};  // of a tower with windows: those that attend to the whole picture
  int64_t table_side = 0;          // learned positions; 0: none
  std::vector<int> deep_layers{};  // ascending; their outputs are features too

  int64_t d_head() const { return d_model / n_heads; }
  int64_t d_features() const { return d_model * (1 + static_cast<int64_t>(deep_layers.size())); }
};

// Norms without a bias are RMSNorm.
struct QwenTowerLayer {
  DeviceArray norm1_weight, norm1_bias;            // (d_model)
  std::vector<std::unique_ptr<PackedMatrix>> qkv;  // three of (d_model, d_model)
  DeviceArray qkv_bias;                            // (3 * d_model)
  std::unique_ptr<PackedMatrix> out;               // (d_model, d_model)
  DeviceArray out_bias;                            // (d_model)
  DeviceArray norm2_weight, norm2_bias;            // (d_model)
  std::unique_ptr<PackedMatrix> up, down;          // (d_ff, d_model), gate and up (2 * d_ff, d_model); (d_model, d_ff)
  DeviceArray up_bias, down_bias;
};

struct QwenTowerWeights {
  PatchMatrices patch;
  DeviceArray patch_bias;        // (d_model) or empty
  std::vector<float> positions;  // (table_side^2, d_model) or empty
  std::vector<QwenTowerLayer> layers;
};

// The features of a row: its last hidden state, then its outputs of deep_layers.
class QwenTower final : public VisionTower {
 public:
  QwenTower(Ops& ops, QwenTowerConfig config, QwenTowerWeights weights);

  TowerFacts facts() const override;
  int64_t d_features() const override { return config_.d_features(); }
  int64_t rows_of(int64_t width, int64_t height) const override;
  // The hook must leave every row: the merger needs complete squares.
  bool forward(const Tensor& pixels, TowerHook& hook, const Tensor& features, std::vector<std::vector<int32_t>>& kept,
               const std::atomic<bool>& cancelled) override;
  void free_scratch() override { scratch_ = {}; }

 private:
  // Rows of a pass, window after window.
  struct Windows {
    std::vector<int32_t> order;    // rows of the stream
    std::vector<int32_t> back;     // where each row of the stream stands in order
    std::vector<int64_t> lengths;  // rows of each window
  };

  RowStream embed(const Tensor& pixels, TowerHook& hook);
  Windows windows_of(const RowStream& stream) const;
  void block(int layer, RowStream& stream, const Windows& windows, TowerHook& hook);
  void attend(const RowStream& stream, const Windows* windows, const TowerAttention& attention, const Tensor& v,
              bool in_bf16, const Tensor& out);
  void norm(const Tensor& x, const DeviceArray& weight, const DeviceArray& bias, const Tensor& out);

  Ops& ops_;
  QwenTowerConfig config_;
  QwenTowerWeights weights_;
  std::vector<float> inv_freq_;  // (d_head / 2)
  std::vector<Axis> axes_;       // (d_head / 2)
  struct Scratch {
    DeviceArray hidden, stretched, rope, normed, q, k, v, inner;
    DeviceArray window_q, window_k, window_v, window_out;
  } scratch_;
};

}  // namespace fovea
