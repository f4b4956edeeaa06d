#include "model/vision/qwen_tower.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"
#include "model/row_blocks.h"
#include "model/vision/interpolate_positions.h"

namespace fovea {
namespace {

constexpr float kNormEps = 1e-6F;                  // in the code of these models, not in their configs
constexpr int64_t kMaxPatches = int64_t{1} << 16;  // of a picture; what published models make of the largest one
constexpr int64_t kUsualSquares = 16;              // along a side of the picture that costs are measured with

}  // namespace

QwenTower::QwenTower(Ops& ops, QwenTowerConfig config, QwenTowerWeights weights)
    : ops_(ops), config_(std::move(config)), weights_(std::move(weights)) {
  // A quarter of a head turns with the patch's row, a quarter with its column; the other half is their partner.
  const int64_t half = config_.d_head() / 2;
  for (const Axis axis : {Axis::kHeight, Axis::kWidth}) {
    for (int64_t i = 0; i < half; i += 2) {
      inv_freq_.push_back(1.0F / std::pow(config_.rope_theta, static_cast<float>(i) / static_cast<float>(half)));
      axes_.push_back(axis);
    }
  }
}

TowerFacts QwenTower::facts() const {
  const int64_t side = kUsualSquares * config_.fold;
  return {.n_layers = config_.n_layers,
          .d_model = config_.d_model,
          .n_heads = config_.n_heads,
          .d_ff = config_.d_ff,
          .rows = side * side,
          .image_size = side * config_.patch_size,
          .patch_size = config_.patch_size,
          .frames = config_.frames};
}

int64_t QwenTower::rows_of(int64_t width, int64_t height) const {
  const int64_t unit = config_.patch_size * config_.fold;
  const auto fits = [&](int64_t side) {
    return side > 0 && side % unit == 0 && side / config_.patch_size <= kMaxPatches;
  };
  const int64_t rows = fits(width) && fits(height) ? (height / config_.patch_size) * (width / config_.patch_size) : 0;
  if (rows == 0 || rows > kMaxPatches)
    throw Error(ErrorCode::kInvalidArgument, "pixel_values hold an image of " + std::to_string(width) + "x" +
                                                 std::to_string(height) +
                                                 " pixels; this vision tower takes sides that are multiples of " +
                                                 std::to_string(unit) + " and at most " + std::to_string(kMaxPatches) +
                                                 " patches. Use the model folder's own "
                                                 "preprocessor_config.json.");
  return rows;
}

bool QwenTower::forward(const Tensor& pixels, TowerHook& hook, const Tensor& features,
                        std::vector<std::vector<int32_t>>& kept, const std::atomic<bool>& cancelled) {
  if (pixels.rows() == 0) throw Error(ErrorCode::kInternal, "the tower was given no image");
  RowStream stream = embed(pixels, hook);
  const int64_t n_rows = stream.hidden.rows(), d = config_.d_model;
  ops_.rope_table(stream.positions, inv_freq_, axes_, scratch_.rope.resize(ops_, {n_rows, config_.d_head()}));
  const Windows windows = config_.window > 0 ? windows_of(stream) : Windows();
  int64_t column = d;  // of features, for the next deep layer
  for (int layer = 0; layer < config_.n_layers; ++layer) {
    if (cancelled.load(std::memory_order_relaxed)) return false;
    block(layer, stream, windows, hook);
    if (stream.hidden.rows() != n_rows) throw Error(ErrorCode::kInternal, "rows left a tower whose merger needs them");
    if (std::find(config_.deep_layers.begin(), config_.deep_layers.end(), layer) == config_.deep_layers.end()) continue;
    ops_.copy(stream.hidden, features.columns(column, d));
    column += d;
  }
  ops_.copy(stream.hidden, features.columns(0, d));
  kept.clear();
  for (const Sequence& image : stream.sequences) kept.push_back(image.origin);
  return true;
}

// (n_images, 3 or frames * 3, height, width) to rows (n_images * n_patches, d_model), each at its place in the picture.
RowStream QwenTower::embed(const Tensor& pixels, TowerHook& hook) {
  const int64_t rows = pixels.shape[2] / config_.patch_size, columns = pixels.shape[3] / config_.patch_size;
  const int64_t n_images = pixels.rows(), n_patches = rows * columns, d = config_.d_model;
  const PackedMatrix& matrix = pixels.shape[1] == 3 ? *weights_.patch.still : *weights_.patch.moving;
  // Where queries will be.
  const Tensor flat = scratch_.q.resize(ops_, {n_images * n_patches, matrix.inputs()});
  const Tensor x = scratch_.hidden.resize(ops_, {n_images * n_patches, d});
  ops_.patches(pixels, config_.patch_size, flat);
  ops_.linear(flat, matrix, weights_.patch_bias.view(), x);
  if (config_.table_side > 0) {
    const std::vector<float> stretched = stretch_positions(weights_.positions, config_.table_side, rows, columns);
    ops_.copy_from_host(stretched.data(), scratch_.stretched.resize(ops_, {n_patches, d}));
    for (int64_t image = 0; image < n_images; ++image)
      ops_.add(x.slice(image * n_patches, n_patches), scratch_.stretched.view());
  }
  RowStream stream;
  stream.hidden = x;
  for (int64_t image = 0; image < n_images; ++image) {
    for (int64_t patch = 0; patch < n_patches; ++patch)
      stream.positions.emplace_back(0, static_cast<int32_t>(patch / columns), static_cast<int32_t>(patch % columns));
    Sequence sequence{image * n_patches, n_patches, std::vector<int32_t>(static_cast<size_t>(n_patches)), {}};
    std::iota(sequence.origin.begin(), sequence.origin.end(), 0);
    sequence.spans.push_back({static_cast<int32_t>(image), 0, n_patches, 0, n_patches});
    stream.sequences.push_back(std::move(sequence));
  }
  hook.embedded(stream, flat);
  return stream;
}

// Windows tile every picture from its upper left corner; those at the far sides may be smaller.
QwenTower::Windows QwenTower::windows_of(const RowStream& stream) const {
  Windows windows;
  const auto side = static_cast<int32_t>(config_.window);
  const auto window_of = [&](int32_t row) {
    const Position& position = stream.positions[static_cast<size_t>(row)];
    return std::pair(position.height / side, position.width / side);
  };
  for (const Sequence& image : stream.sequences) {
    const auto begin = std::ssize(windows.order);
    for (int64_t row = image.begin; row < image.begin + image.count; ++row)
      windows.order.push_back(static_cast<int32_t>(row));
    std::stable_sort(windows.order.begin() + begin, windows.order.end(),
                     [&](int32_t a, int32_t b) { return window_of(a) < window_of(b); });
    for (auto at = begin; at < std::ssize(windows.order); ++at) {
      const auto i = static_cast<size_t>(at);
      if (at == begin || window_of(windows.order[i]) != window_of(windows.order[i - 1])) windows.lengths.push_back(0);
      ++windows.lengths.back();
    }
  }
  windows.back.resize(windows.order.size());
  for (size_t i = 0; i < windows.order.size(); ++i)
    windows.back[static_cast<size_t>(windows.order[i])] = static_cast<int32_t>(i);
  return windows;
}

void QwenTower::block(int layer, RowStream& stream, const Windows& windows, TowerHook& hook) {
  const QwenTowerLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const Tensor x = stream.hidden;
  const int64_t m = x.rows(), d = config_.d_model, n_heads = config_.n_heads, d_head = config_.d_head();
  const Tensor normed = scratch_.normed.resize(ops_, {m, d});
  const Tensor q = scratch_.q.resize(ops_, {m, n_heads, d_head});
  const Tensor k = scratch_.k.resize(ops_, {m, n_heads, d_head});
  const Tensor v = scratch_.v.resize(ops_, {m, n_heads, d_head});
  norm(x, w.norm1_weight, w.norm1_bias, normed);
  const Tensor* heads[] = {&q, &k, &v};
  for (int64_t i = 0; i < 3; ++i)
    ops_.linear(normed, *w.qkv[static_cast<size_t>(i)], w.qkv_bias.view().slice(i * d, d), heads[i]->reshape_rows({d}));
  ops_.rope(q, scratch_.rope.view());
  ops_.rope(k, scratch_.rope.view());
  const auto& full = config_.full_layers;
  const bool in_windows = config_.window > 0 && std::find(full.begin(), full.end(), layer) == full.end();
  const TowerAttention attention{q, k, 1.0F / std::sqrt(static_cast<float>(d_head)), in_windows};
  // Where the normed rows are, which nobody reads any more.
  attend(stream, in_windows ? &windows : nullptr, attention, v, w.out->rounds_rows(),
         normed.reshape_rows({n_heads, d_head}));
  ops_.linear(normed, *w.out, w.out_bias.view(), x, /*accumulate=*/true);
  hook.after_attention(layer, stream, attention);

  for_row_blocks(m, config_.d_ff, [&](int64_t begin, int64_t count) {
    const Tensor rows = x.slice(begin, count), normed_rows = normed.slice(0, count);
    const Tensor inner = scratch_.inner.resize(ops_, {count, config_.d_ff});
    norm(rows, w.norm2_weight, w.norm2_bias, normed_rows);
    if (config_.gated) {
      ops_.linear_gated(normed_rows, *w.up, w.up_bias.view(), config_.activation, inner);
    } else {
      ops_.linear_activated(normed_rows, *w.up, w.up_bias.view(), config_.activation, inner);
    }
    ops_.linear(inner, *w.down, w.down_bias.view(), rows, /*accumulate=*/true);
  });
}

// v, out (m, n_heads, d_head). Every row attends to those of its window, or to all of its picture.
void QwenTower::attend(const RowStream& stream, const Windows* windows, const TowerAttention& attention,
                       const Tensor& v, bool in_bf16, const Tensor& out) {
  std::vector<AttentionSegment> segments;
  if (windows == nullptr) {
    for (const Sequence& image : stream.sequences)
      segments.push_back({image.begin, image.count, attention.k.slice(image.begin, image.count),
                          v.slice(image.begin, image.count), false});
    ops_.attention(attention.q, segments, attention.scale, out, in_bf16);
    return;
  }
  // Rows of a window are apart in the picture; attention wants them together.
  const auto together = [&](const Tensor& heads, DeviceArray& memory) {
    const Tensor sorted = memory.resize(ops_, {heads.shape[0], heads.shape[1], heads.shape[2]});
    ops_.gather_rows(heads, windows->order, sorted);
    return sorted;
  };
  const Tensor q = together(attention.q, scratch_.window_q), k = together(attention.k, scratch_.window_k),
               values = together(v, scratch_.window_v);
  const Tensor attended = scratch_.window_out.resize(ops_, {q.shape[0], q.shape[1], q.shape[2]});
  int64_t begin = 0;
  for (int64_t length : windows->lengths) {
    segments.push_back({begin, length, k.slice(begin, length), values.slice(begin, length), false});
    begin += length;
  }
  ops_.attention(q, segments, attention.scale, attended, in_bf16);
  ops_.gather_rows(attended, windows->back, out);
}

void QwenTower::norm(const Tensor& x, const DeviceArray& weight, const DeviceArray& bias, const Tensor& out) {
  if (config_.rms_norm) {
    ops_.rms_norm(x, weight.view(), kNormEps, out);
  } else {
    ops_.layer_norm(x, weight.view(), bias.view(), kNormEps, out);
  }
}

}  // namespace fovea
