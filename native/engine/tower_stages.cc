#include "engine/tower_stages.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/timer.h"
#include "engine/stage_runner.h"
#include "prune/attention_mass.h"
#include "prune/query_rows.h"

namespace fovea {
namespace {

// How many rows each row of an image stands for; empty: one each.
std::vector<float> sizes_of(const RowStream& stream, const Sequence& image) {
  if (stream.sizes.empty()) return {};
  return {stream.sizes.begin() + image.begin, stream.sizes.begin() + image.begin + image.count};
}

// The same attention with all heads as one.
TowerAttention as_one_head(const TowerAttention& attention) {
  const int64_t width = attention.k.row_elements();
  return {attention.q.reshape_rows({1, width}), attention.k.reshape_rows({1, width}),
          static_cast<float>(1 / std::sqrt(static_cast<double>(width)))};
}

// heads (n, n_heads, d_head) to (n, n_heads * d_head).
std::vector<float> side_by_side(Ops& ops, const Tensor& heads) {
  std::vector<float> numbers(static_cast<size_t>(heads.elements()));
  ops.copy_to_host(heads, numbers.data());
  return numbers;
}

// What some rows of an image attend to among all its rows, mean over them and heads.
std::vector<float> attention_of(Ops& ops, const RowStream& stream, const Sequence& image,
                                const TowerAttention& attention, std::span<const int32_t> queries) {
  const Tensor q = attention.q.slice(image.begin, image.count), k = attention.k.slice(image.begin, image.count);
  DeviceArray memory;
  const Tensor asking = memory.resize(ops, {std::ssize(queries), q.row_elements()});
  ops.gather_rows(q.reshape_rows({q.row_elements()}), queries, asking);
  const std::vector<KeyRange> sees(queries.size(), {0, image.count});
  const std::vector<float> sizes = sizes_of(stream, image);
  const Tensor heads = asking.reshape_rows({q.shape[1], q.shape[2]});
  const AttentionMass mass = attention_mass(ops, heads, k, attention.scale, sees, sizes);
  std::vector<float> mean = mass.mean_over_heads();
  for (float& number : mean) number /= static_cast<float>(queries.size());
  return mean;
}

// What the patches that receive more than threshold times the mean attend to; or the one that receives most.
std::vector<float> importance(Ops& ops, const RowStream& stream, const Sequence& image, const TowerAttention& attention,
                              float threshold) {
  const Span& span = image.spans[0];
  const std::vector<float> received =
      attention_of(ops, stream, image, attention, rows_between(span.begin, span.begin + span.count));
  const auto begin = received.begin() + span.begin, end = begin + span.count;
  const double mean = std::accumulate(begin, end, 0.0) / static_cast<double>(span.count);
  std::vector<int32_t> global;
  for (auto at = begin; at != end; ++at)
    if (*at > threshold * mean) global.push_back(static_cast<int32_t>(at - received.begin()));
  if (global.empty()) global.push_back(static_cast<int32_t>(std::max_element(begin, end) - received.begin()));
  return attention_of(ops, stream, image, attention, global);
}

// Rows of a sequence, by where they stood when the layer's attention ran.
class TowerSource final : public StageSource {
 public:
  TowerSource(Ops& ops, const RowStream& stream, size_t index, const TowerAttention& attention, const Tensor& patches,
              const Raster& raster)
      : ops_(ops),
        stream_(stream),
        index_(index),
        attention_(attention),
        patches_(patches),
        raster_(raster),
        begin_(stream.sequences[index].begin),
        origin_(stream.sequences[index].origin),
        sizes_(sizes_of(stream, stream.sequences[index])) {}

  AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool) override {
    return attend(rows_of(attention_.q, queries, q_), rows_of(attention_.k, keys, k_), sizes_at(keys));
  }

  std::vector<std::vector<float>> attention_of_all() override {
    constexpr int64_t kQueries = 64;  // at a time
    const std::vector<int32_t> all = rows_between(0, stream_.sequences[index_].count);
    const Tensor q = rows_of(attention_.q, all, q_), k = rows_of(attention_.k, all, k_);
    const Tensor flat = q.reshape_rows({q.row_elements()});
    const std::vector<float> sizes = sizes_at(all);
    const int64_t n = q.rows(), n_heads = q.shape[1], d_head = q.shape[2];
    std::vector<std::vector<float>> heads(static_cast<size_t>(n_heads));
    for (std::vector<float>& head : heads) head.reserve(static_cast<size_t>(n * n));
    DeviceArray memory;
    for (int64_t begin = 0; begin < n; begin += kQueries) {
      const int64_t count = std::min(kQueries, n - begin);
      // Rows as heads of one row, which nobody adds up: all of head 0, all of head 1, …
      const Tensor apart = memory.resize(ops_, {n_heads * count, d_head});
      for (int64_t head = 0; head < n_heads; ++head)
        ops_.copy(flat.slice(begin, count).columns(head * d_head, d_head), apart.slice(head * count, count));
      const Tensor one_row(apart.data, apart.dtype, apart.device, {1, n_heads * count, d_head});
      const std::vector<float> numbers = attend(one_row, k, sizes).numbers;
      for (int64_t head = 0; head < n_heads; ++head) {
        const auto of_head = numbers.begin() + head * count * n;
        heads[static_cast<size_t>(head)].insert(heads[static_cast<size_t>(head)].end(), of_head, of_head + count * n);
      }
    }
    return heads;
  }

  TapValue keys(std::span<const int32_t> rows) override {
    const Tensor k = rows_of(attention_.k, rows, k_);
    return {k.shape[2], mean_over_heads(ops_, k)};
  }

  TapValue patches(int32_t image) override {
    const int64_t n = patches_.rows() / std::ssize(stream_.sequences);
    const Tensor own = patches_.slice(image * n, n);
    TapValue value{own.row_elements(), std::vector<float>(static_cast<size_t>(own.elements()))};
    ops_.copy_to_host(own, value.numbers.data());
    return value;
  }

  Raster raster(int32_t) override { return raster_; }

  const TapValue& tap(const TowerTap&, int32_t) override {
    throw Error(ErrorCode::kInternal, "a stage inside the tower reads a tap");
  }

 private:
  // q (n_queries, n_heads, d_head), k (n_keys, n_heads, d_head); sizes as of sizes_at.
  AttentionMass attend(const Tensor& q, const Tensor& k, std::span<const float> sizes) {
    const std::vector<KeyRange> sees(static_cast<size_t>(q.rows()), {0, k.rows()});
    return attention_mass(ops_, q, k, attention_.scale, sees, sizes);
  }

  // How many rows each of these stands for; empty: one each.
  std::vector<float> sizes_at(std::span<const int32_t> rows) const {
    std::vector<float> sizes;
    if (sizes_.empty()) return sizes;
    for (int32_t place : places_of(rows)) sizes.push_back(sizes_[static_cast<size_t>(place)]);
    return sizes;
  }

  // Where these rows of the sequence stood when the attention ran.
  std::vector<int32_t> places_of(std::span<const int32_t> rows) const {
    const std::vector<int32_t>& now = stream_.sequences[index_].origin;
    std::vector<int32_t> then;
    for (int32_t row : rows) {
      const auto found = std::lower_bound(origin_.begin(), origin_.end(), now[static_cast<size_t>(row)]);
      then.push_back(static_cast<int32_t>(found - origin_.begin()));
    }
    return then;
  }

  // heads (n, n_heads, d_head) of these rows of the sequence.
  Tensor rows_of(const Tensor& heads, std::span<const int32_t> rows, DeviceArray& memory) {
    const std::vector<int32_t> then = places_of(rows);
    const Tensor of_image = heads.slice(begin_, static_cast<int64_t>(origin_.size()));
    const Tensor flat = memory.resize(ops_, {static_cast<int64_t>(then.size()), heads.row_elements()});
    ops_.gather_rows(of_image.reshape_rows({heads.row_elements()}), then, flat);
    return flat.reshape_rows({heads.shape[1], heads.shape[2]});
  }

  Ops& ops_;
  const RowStream& stream_;
  size_t index_;
  const TowerAttention& attention_;
  const Tensor& patches_;
  Raster raster_;
  int64_t begin_;
  std::vector<int32_t> origin_;
  std::vector<float> sizes_;  // of the same rows; empty: one each
  DeviceArray q_, k_;
};

}  // namespace

void TowerStages::embedded(RowStream& stream, const Tensor& patches) {
  reports.resize(stream.sequences.size());
  taps.resize(stream.sequences.size(), {raster_, {}});
  run(Hook::kPixels, -1, stream, {}, patches);
}

void TowerStages::after_attention(int layer, RowStream& stream, const TowerAttention& attention) {
  const Timer timer;
  for (const TowerTap& tap : plan_.taps.tower)
    if (tap.kind != TowerTap::Kind::kOutput && tap.layer + n_layers_ == layer) note(tap, layer, stream, attention);
  select_ms += timer.milliseconds();
  run(Hook::kVisionLayer, layer, stream, attention, {});
}

void TowerStages::run(Hook hook, int layer, RowStream& stream, const TowerAttention& attention, const Tensor& patches) {
  const Timer timer;
  std::vector<const PlanStage*> stages;
  for (const PlanStage& stage : plan_.stages)
    if (stage.hook == hook && stage.layer == layer) stages.push_back(&stage);
  if (stages.empty()) return;
  // From the last image to the first: dropping rows of one moves only those behind it.
  for (size_t i = stream.sequences.size(); i-- > 0;) {
    TowerSource source(ops_, stream, i, attention, patches, raster_);
    for (const PlanStage* stage : stages) reports[i].push_back(run_stage(ops_, *stage, stream, i, source, keep_lists_));
  }
  select_ms += timer.milliseconds();
}

void TowerStages::note(const TowerTap& tap, int layer, const RowStream& stream, const TowerAttention& attention) {
  for (size_t i = 0; i < stream.sequences.size(); ++i) {
    const Sequence& image = stream.sequences[i];
    const bool is_joint = tap.kind == TowerTap::Kind::kJointAttention;
    const bool asks_class = is_joint || tap.kind == TowerTap::Kind::kClassAttention;
    if (asks_class && image.spans[0].begin == 0)
      throw Error(ErrorCode::kPlan,
                  "the plan asks for the class row's attention; this vision tower has no class row, so use a method "
                  "that reads column attention");
    if (attention.in_windows && tap.kind != TowerTap::Kind::kKeys)
      throw Error(ErrorCode::kPlan, "the plan asks for the attention of tower layer " + std::to_string(layer) +
                                        ", whose rows see only those of their window; ask for a layer with full "
                                        "attention, or use another method");
    std::vector<float> numbers;  // (count, width)
    switch (tap.kind) {
      case TowerTap::Kind::kKeys:
        numbers = mean_over_heads(ops_, attention.k.slice(image.begin, image.count));
        break;
      case TowerTap::Kind::kJointKeys:
        numbers = side_by_side(ops_, attention.k.slice(image.begin, image.count));
        break;
      case TowerTap::Kind::kImportance:
        numbers = importance(ops_, stream, image, attention, tap.threshold);
        break;
      default:
        numbers = attention_of(ops_, stream, image, is_joint ? as_one_head(attention) : attention,
                               rows_between(0, asks_class ? 1 : image.count));
    }
    const auto width = static_cast<int64_t>(numbers.size()) / image.count;
    const Span& span = image.spans[0];
    TapValue& value = taps[i].values[tap];
    value.width = width;
    value.numbers.assign(static_cast<size_t>(image_rows_ * width), 0.0F);
    for (int64_t row = span.begin; row < span.begin + span.count; ++row) {
      const int64_t place = image.origin[static_cast<size_t>(row)] - span.origin_begin;
      std::copy_n(numbers.begin() + row * width, width, value.numbers.begin() + place * width);
    }
  }
}

}  // namespace fovea
