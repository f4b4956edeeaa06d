#include "model/vision/clip_tower.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace fovea {

ClipTower::ClipTower(Ops& ops, ClipTowerConfig config, ClipWeights weights)
    : ops_(ops), config_(std::move(config)), weights_(std::move(weights)) {}

TowerFacts ClipTower::facts() const {
  return {static_cast<int>(weights_.layers.size()), config_.d_model, config_.n_heads, config_.image_size,
          config_.patch_size};
}

int64_t ClipTower::rows_of(int64_t width, int64_t height) const {
  if (width != config_.image_size || height != config_.image_size) {
    const std::string size = std::to_string(config_.image_size);
    throw Error(ErrorCode::kInvalidArgument, "pixel_values hold an image of " + std::to_string(width) + "x" +
                                                 std::to_string(height) + " pixels; this vision tower takes " + size +
                                                 "x" + size + ". Use the model folder's own preprocessor_config.json.");
  }
  return config_.image_rows();
}

bool ClipTower::forward(const Tensor& pixels, const Tensor& features, const std::atomic<bool>& cancelled) {
  const int64_t n_images = pixels.rows();
  const Tensor x = embed(pixels);
  take_features(0, x, features, n_images);
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    if (cancelled.load(std::memory_order_relaxed)) return false;
    block(weights_.layers[i], x, n_images);
    take_features(static_cast<int>(i) + 1, x, features, n_images);
  }
  return true;
}

// (n_images, 3, s, s) to (n_images * (1 + n_patches), d_model).
Tensor ClipTower::embed(const Tensor& pixels) {
  const int64_t n_images = pixels.rows(), n_patches = config_.n_patches(), n_rows = 1 + n_patches, d = config_.d_model;
  const Tensor flat = patches_.resize(ops_, {n_images * n_patches, 3 * config_.patch_size * config_.patch_size});
  const Tensor x = hidden_.resize(ops_, {n_images * n_rows, d});
  ops_.patches(pixels, config_.patch_size, flat);
  for (int64_t i = 0; i < n_images; ++i) {
    const Tensor image = x.slice(i * n_rows, n_rows);
    ops_.copy(weights_.class_row.view().as_row(), image.slice(0, 1));
    ops_.linear(flat.slice(i * n_patches, n_patches), *weights_.patch, Tensor(), image.slice(1, n_patches));
    ops_.add(image, weights_.positions.view());
  }
  ops_.layer_norm(x, weights_.pre_norm_weight.view(), weights_.pre_norm_bias.view(), config_.norm_eps, x);
  return x;
}

void ClipTower::block(const ClipLayer& w, const Tensor& x, int64_t n_images) {
  const int64_t m = x.rows(), d = config_.d_model, d_head = d / config_.n_heads, n_rows = m / n_images;
  const Tensor normed = normed_.resize(ops_, {m, d});
  const Tensor q = q_.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor k = k_.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor v = v_.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor attended = attended_.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor inner = inner_.resize(ops_, {m, config_.d_ff});

  ops_.layer_norm(x, w.norm1_weight.view(), w.norm1_bias.view(), config_.norm_eps, normed);
  ops_.linear(normed, *w.q, w.q_bias.view(), q.reshape_rows({d}));
  ops_.linear(normed, *w.k, w.k_bias.view(), k.reshape_rows({d}));
  ops_.linear(normed, *w.v, w.v_bias.view(), v.reshape_rows({d}));
  std::vector<AttentionSegment> images;
  for (int64_t i = 0; i < n_images; ++i)
    images.push_back({i * n_rows, n_rows, k.slice(i * n_rows, n_rows), v.slice(i * n_rows, n_rows), false});
  ops_.attention(q, images, 1.0F / std::sqrt(static_cast<float>(d_head)), attended);
  ops_.linear(attended.reshape_rows({d}), *w.out, w.out_bias.view(), x, /*accumulate=*/true);

  ops_.layer_norm(x, w.norm2_weight.view(), w.norm2_bias.view(), config_.norm_eps, normed);
  ops_.linear(normed, *w.fc1, w.fc1_bias.view(), inner);
  ops_.activate(inner, config_.activation);
  ops_.linear(inner, *w.fc2, w.fc2_bias.view(), x, /*accumulate=*/true);
}

// Copies hidden state `state` of every image into its columns of features, if it is one of feature_states.
void ClipTower::take_features(int state, const Tensor& x, const Tensor& features, int64_t n_images) {
  const int64_t n_rows = 1 + config_.n_patches(), kept = config_.image_rows(), d = config_.d_model;
  for (size_t f = 0; f < config_.feature_states.size(); ++f) {
    if (config_.feature_states[f] != state) continue;
    const Tensor columns = features.columns(static_cast<int64_t>(f) * d, d);
    for (int64_t i = 0; i < n_images; ++i)
      ops_.copy(x.slice(i * n_rows + n_rows - kept, kept), columns.slice(i * kept, kept));
  }
}

}  // namespace fovea
