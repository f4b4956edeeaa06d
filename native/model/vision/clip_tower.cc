#include "model/vision/clip_tower.h"

#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"
#include "model/row_blocks.h"
#include "model/vision/interpolate_positions.h"
#include "ops/host_copy.h"

namespace fovea {
namespace {

constexpr int64_t kMaxPatches = int64_t{1} << 16;  // of a picture of any size; published models make 1,024 of a tile
constexpr int64_t kUsualSquares = 16;              // along a side of the picture that costs are measured with

}  // namespace

ClipTower::ClipTower(Ops& ops, ClipTowerConfig config, ClipWeights weights)
    : ops_(ops), config_(std::move(config)), weights_(std::move(weights)) {}

TowerFacts ClipTower::facts() const {
  const int64_t side = config_.sizes == PictureSizes::kAny ? kUsualSquares * config_.unit : config_.side();
  return {
      static_cast<int>(weights_.layers.size()), config_.d_model,           config_.n_heads,    config_.d_ff,
      side * side + config_.class_rows(),       side * config_.patch_size, config_.patch_size, config_.has_class_row};
}

int64_t ClipTower::rows_of(int64_t width, int64_t height) const {
  const int64_t unit = config_.patch_size * config_.unit;
  const bool any = config_.sizes == PictureSizes::kAny, smaller = config_.sizes == PictureSizes::kSmaller;
  // Of CLIP, larger pictures were never seen in training.
  const auto fits = [&](int64_t side) {
    if (any) return side > 0 && side % unit == 0 && side / config_.patch_size <= kMaxPatches;
    return side == config_.image_size ||
           (smaller && side > 0 && side < config_.image_size && side % config_.patch_size == 0);
  };
  const int64_t n_patches =
      fits(width) && fits(height) ? (height / config_.patch_size) * (width / config_.patch_size) : 0;
  if (n_patches == 0 || n_patches > kMaxPatches) {
    const std::string size = std::to_string(config_.image_size);
    throw Error(ErrorCode::kInvalidArgument,
                "pixel_values hold an image of " + std::to_string(width) + "x" + std::to_string(height) +
                    " pixels; this vision tower takes " +
                    (any ? "sides that are multiples of " + std::to_string(unit) + " and at most " +
                               std::to_string(kMaxPatches) + " patches"
                         : size + "x" + size) +
                    (smaller ? ", or smaller sides that are multiples of " + std::to_string(config_.patch_size) : "") +
                    ". Use the model folder's own preprocessor_config.json.");
  }
  return n_patches + (config_.keep_class_row ? 1 : 0);
}

bool ClipTower::forward(const Tensor& pixels, TowerHook& hook, const Tensor& features,
                        std::vector<std::vector<int32_t>>& kept, const std::atomic<bool>& cancelled) {
  if (pixels.rows() == 0) throw Error(ErrorCode::kInternal, "the tower was given no image");
  const int64_t image_rows = features.rows() / pixels.rows();
  RowStream stream = embed(pixels, hook);
  take_features(0, stream, image_rows, features);
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    if (cancelled.load(std::memory_order_relaxed)) return false;
    block(static_cast<int>(i), stream, hook);
    if (config_.post_norm && i + 1 == weights_.layers.size())
      ops_.layer_norm(stream.hidden, weights_.post_norm_weight.view(), weights_.post_norm_bias.view(), config_.norm_eps,
                      stream.hidden);
    take_features(static_cast<int>(i) + 1, stream, image_rows, features);
  }
  kept.clear();
  std::vector<int32_t> rows;  // of features
  for (size_t image = 0; image < stream.sequences.size(); ++image) {
    std::vector<int32_t>& of_image = kept.emplace_back();
    for (int32_t origin : stream.sequences[image].origin) {
      if (image_row(origin) < 0) continue;
      of_image.push_back(image_row(origin));
      rows.push_back(static_cast<int32_t>(static_cast<int64_t>(image) * image_rows + image_row(origin)));
    }
  }
  const auto n_left = static_cast<int64_t>(rows.size());
  if (n_left < features.rows()) ops_.gather_rows(features, rows, features.slice(0, n_left));
  return true;
}

// What is added to the class row, if any, and the patches of a picture of rows x columns patches (class_rows + rows *
// columns, d_model).
const Tensor& ClipTower::positions(int64_t rows, int64_t columns) {
  if (rows == config_.side() && columns == config_.side()) return weights_.positions.view();
  if (rows != other_rows_ || columns != other_columns_) {
    const int64_t d = config_.d_model, n_class = config_.class_rows();
    const std::vector<float> table = host_copy(ops_, weights_.positions.view());
    const auto of_class = std::span(table).first(static_cast<size_t>(n_class * d));
    const auto resize = config_.sizes == PictureSizes::kAny ? resize_positions : interpolate_positions;
    const std::vector<float> patches = resize(std::span(table).subspan(of_class.size()), config_.side(), rows, columns);
    std::vector<float> other(of_class.begin(), of_class.end());
    other.insert(other.end(), patches.begin(), patches.end());
    ops_.copy_from_host(other.data(), other_positions_.resize(ops_, {n_class + rows * columns, d}));
    other_rows_ = rows;
    other_columns_ = columns;
  }
  return other_positions_.view();
}

// (n_images, 3, height, width) to rows (n_images * (class_rows + n_patches), d_model), less what the hook drops.
RowStream ClipTower::embed(const Tensor& pixels, TowerHook& hook) {
  const int64_t rows = pixels.shape[2] / config_.patch_size, columns = pixels.shape[3] / config_.patch_size;
  const int64_t n_images = pixels.rows(), n_patches = rows * columns, d = config_.d_model;
  const int64_t n_class = config_.class_rows(), n_rows = n_class + n_patches;
  const Tensor& position = positions(rows, columns);
  // Where queries will be.
  const Tensor flat = scratch_.q.resize(ops_, {n_images * n_patches, 3 * config_.patch_size * config_.patch_size});
  const Tensor x = scratch_.hidden.resize(ops_, {n_images * n_rows, d});
  ops_.patches(pixels, config_.patch_size, flat);
  RowStream stream;
  stream.hidden = x;
  stream.positions.assign(static_cast<size_t>(n_images * n_rows), 0);  // they were added to the rows
  for (int64_t i = 0; i < n_images; ++i) {
    const Tensor image = x.slice(i * n_rows, n_rows);
    if (config_.has_class_row) ops_.copy(weights_.class_row.view().as_row(), image.slice(0, 1));
    ops_.linear(flat.slice(i * n_patches, n_patches), *weights_.patch, weights_.patch_bias.view(),
                image.slice(n_class, n_patches));
    ops_.add(image, position);
    Sequence sequence{i * n_rows, n_rows, std::vector<int32_t>(static_cast<size_t>(n_rows)), {}};
    std::iota(sequence.origin.begin(), sequence.origin.end(), 0);
    sequence.spans.push_back({static_cast<int32_t>(i), n_class, n_patches, image_row(0) < 0 ? 1 : 0, n_patches});
    stream.sequences.push_back(std::move(sequence));
  }
  if (config_.pre_norm)
    ops_.layer_norm(x, weights_.pre_norm_weight.view(), weights_.pre_norm_bias.view(), config_.norm_eps, x);
  hook.embedded(stream, flat);
  return stream;
}

void ClipTower::block(int layer, RowStream& stream, TowerHook& hook) {
  const ClipLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const Tensor x = stream.hidden;
  const int64_t m = x.rows(), d = config_.d_model, d_head = d / config_.n_heads;
  const float scale = 1.0F / std::sqrt(static_cast<float>(d_head));
  const Tensor normed = scratch_.normed.resize(ops_, {m, d});
  const Tensor q = scratch_.q.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor k = scratch_.k.resize(ops_, {m, config_.n_heads, d_head});
  const Tensor v = scratch_.v.resize(ops_, {m, config_.n_heads, d_head});
  ops_.layer_norm(x, w.norm1_weight.view(), w.norm1_bias.view(), config_.norm_eps, normed);
  ops_.linear(normed, *w.q, w.q_bias.view(), q.reshape_rows({d}));
  ops_.linear(normed, *w.k, w.k_bias.view(), k.reshape_rows({d}));
  ops_.linear(normed, *w.v, w.v_bias.view(), v.reshape_rows({d}));
  Tensor bias;  // (m) log of how many rows each row stands for
  if (!stream.sizes.empty()) {
    std::vector<float> logs;
    for (float size : stream.sizes) logs.push_back(std::log(size));
    bias = scratch_.key_bias.resize(ops_, {m});
    ops_.copy_from_host(logs.data(), bias);
  }
  std::vector<AttentionSegment> images;
  for (const Sequence& image : stream.sequences)
    images.push_back({image.begin, image.count, k.slice(image.begin, image.count), v.slice(image.begin, image.count),
                      false, bias.empty() ? Tensor() : bias.slice(image.begin, image.count)});
  // Where the normed rows are, which nobody reads any more.
  ops_.attention(q, images, scale, normed.reshape_rows({config_.n_heads, d_head}), w.q->rounds_rows());
  add_linear(normed, *w.out, w.out_bias.view(), w.scale1.view(), x);
  hook.after_attention(layer, stream, {q, k, scale});

  // x, less what the hook dropped.
  for_row_blocks(stream.hidden.rows(), config_.d_ff, [&](int64_t begin, int64_t count) {
    const Tensor rows = stream.hidden.slice(begin, count), normed_rows = normed.slice(0, count);
    const Tensor inner = scratch_.inner.resize(ops_, {count, config_.d_ff});
    ops_.layer_norm(rows, w.norm2_weight.view(), w.norm2_bias.view(), config_.norm_eps, normed_rows);
    ops_.linear_activated(normed_rows, *w.fc1, w.fc1_bias.view(), config_.activation, inner);
    add_linear(inner, *w.fc2, w.fc2_bias.view(), w.scale2.view(), rows);
  });
}

// to (m, d_model) += scale * (x w^T + bias); scale (d_model) may be empty for ones.
void ClipTower::add_linear(const Tensor& x, const PackedMatrix& w, const Tensor& bias, const Tensor& scale,
                           const Tensor& to) {
  if (scale.empty()) return ops_.linear(x, w, bias, to, /*accumulate=*/true);
  const Tensor added = scratch_.added.resize(ops_, {to.rows(), to.row_elements()});
  ops_.linear(x, w, bias, added);
  ops_.scale_columns(added, scale);
  ops_.add(to, added);
}

// The place among an image's rows of a row of the tower; -1 for a class row that the image does not have.
int32_t ClipTower::image_row(int32_t origin) const {
  return config_.has_class_row && !config_.keep_class_row ? origin - 1 : origin;
}

// Copies hidden state `state` of every image into its columns of features, if it is one of feature_states. Rows stand
// at their places before anything was dropped.
void ClipTower::take_features(int state, const RowStream& stream, int64_t n_rows, const Tensor& features) {
  const int64_t d = config_.d_model;
  for (size_t f = 0; f < config_.feature_states.size(); ++f) {
    if (config_.feature_states[f] != state) continue;
    const Tensor columns = features.columns(static_cast<int64_t>(f) * d, d);
    for (size_t i = 0; i < stream.sequences.size(); ++i) {
      const Sequence& image = stream.sequences[i];
      const Tensor out = columns.slice(static_cast<int64_t>(i) * n_rows, n_rows);
      if (image.count == n_rows + (image_row(0) < 0 ? 1 : 0)) {
        ops_.copy(stream.hidden.slice(image.begin + image.count - n_rows, n_rows), out);
        continue;
      }
      for (int64_t row = 0; row < image.count; ++row) {
        const int32_t place = image_row(image.origin[static_cast<size_t>(row)]);
        if (place >= 0) ops_.copy(stream.hidden.slice(image.begin + row, 1), out.slice(place, 1));
      }
    }
  }
}

}  // namespace fovea
