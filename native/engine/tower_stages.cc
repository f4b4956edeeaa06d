#include "engine/tower_stages.h"

#include <algorithm>
#include <numeric>

#include "base/timer.h"
#include "engine/stage_runner.h"
#include "prune/attention_mass.h"

namespace fovea {
namespace {

// Rows of a sequence, by where they stood when the layer's attention ran.
class TowerSource final : public StageSource {
 public:
  TowerSource(Ops& ops, const RowStream& stream, size_t index, const TowerAttention& attention)
      : ops_(ops),
        stream_(stream),
        index_(index),
        attention_(attention),
        begin_(stream.sequences[index].begin),
        origin_(stream.sequences[index].origin) {}

  AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool) override {
    const Tensor q = rows_of(attention_.q, queries, q_), k = rows_of(attention_.k, keys, k_);
    const std::vector<int64_t> visible(queries.size(), static_cast<int64_t>(keys.size()));
    return attention_mass(ops_, q, k, attention_.scale, visible);
  }

  const TapValue& tap(const TowerTap&, int32_t) override {
    throw Error(ErrorCode::kInternal, "a stage inside the tower reads a tap");
  }

 private:
  // heads (n, n_heads, d_head) of these rows of the sequence.
  Tensor rows_of(const Tensor& heads, std::span<const int32_t> rows, DeviceArray& memory) {
    const std::vector<int32_t>& now = stream_.sequences[index_].origin;
    std::vector<int32_t> then;
    for (int32_t row : rows) {
      const auto found = std::lower_bound(origin_.begin(), origin_.end(), now[static_cast<size_t>(row)]);
      then.push_back(static_cast<int32_t>(found - origin_.begin()));
    }
    const Tensor of_image = heads.slice(begin_, static_cast<int64_t>(origin_.size()));
    const Tensor flat = memory.resize(ops_, {static_cast<int64_t>(then.size()), heads.row_elements()});
    ops_.gather_rows(of_image.reshape_rows({heads.row_elements()}), then, flat);
    return flat.reshape_rows({heads.shape[1], heads.shape[2]});
  }

  Ops& ops_;
  const RowStream& stream_;
  size_t index_;
  const TowerAttention& attention_;
  int64_t begin_;
  std::vector<int32_t> origin_;
  DeviceArray q_, k_;
};

}  // namespace

void TowerStages::embedded(RowStream& stream, const Tensor&) {
  reports.resize(stream.sequences.size());
  taps.resize(stream.sequences.size());
  run(Hook::kPixels, -1, stream, {});
}

void TowerStages::after_attention(int layer, RowStream& stream, const TowerAttention& attention) {
  const Timer timer;
  for (const TowerTap& tap : plan_.taps.tower)
    if (tap.kind != TowerTap::Kind::kOutput && tap.layer + n_layers_ == layer) note(tap, stream, attention);
  select_ms += timer.milliseconds();
  run(Hook::kVisionLayer, layer, stream, attention);
}

void TowerStages::run(Hook hook, int layer, RowStream& stream, const TowerAttention& attention) {
  const Timer timer;
  std::vector<const PlanStage*> stages;
  for (const PlanStage& stage : plan_.stages)
    if (stage.hook == hook && stage.layer == layer) stages.push_back(&stage);
  if (stages.empty()) return;
  // From the last image to the first: dropping rows of one moves only those behind it.
  for (size_t i = stream.sequences.size(); i-- > 0;) {
    TowerSource source(ops_, stream, i, attention);
    for (const PlanStage* stage : stages)
      reports[i].push_back(run_stage(ops_, *stage, stream, i, source, Positions::kOriginal, keep_lists_));
  }
  select_ms += timer.milliseconds();
}

void TowerStages::note(const TowerTap& tap, const RowStream& stream, const TowerAttention& attention) {
  for (size_t i = 0; i < stream.sequences.size(); ++i) {
    const Sequence& image = stream.sequences[i];
    if (tap.kind == TowerTap::Kind::kClassAttention && image.spans[0].begin == 0)
      throw Error(ErrorCode::kPlan,
                  "the plan asks for the class row's attention; this vision tower has no class row, so use a method "
                  "that reads column attention");
    const Tensor q = attention.q.slice(image.begin, image.count), k = attention.k.slice(image.begin, image.count);
    std::vector<float> numbers;  // (count, width)
    if (tap.kind == TowerTap::Kind::kKeys) {
      const int64_t n_heads = k.shape[1], d_head = k.shape[2];
      std::vector<float> heads(static_cast<size_t>(k.elements()));
      ops_.copy_to_host(k, heads.data());
      numbers.assign(static_cast<size_t>(image.count * d_head), 0.0F);
      for (int64_t row = 0; row < image.count; ++row)
        for (int64_t head = 0; head < n_heads; ++head)
          for (int64_t c = 0; c < d_head; ++c)
            numbers[static_cast<size_t>(row * d_head + c)] +=
                heads[static_cast<size_t>((row * n_heads + head) * d_head + c)] / static_cast<float>(n_heads);
    } else {
      const bool is_class = tap.kind == TowerTap::Kind::kClassAttention;
      const int64_t n_queries = is_class ? 1 : image.count;
      const std::vector<int64_t> visible(static_cast<size_t>(n_queries), image.count);
      numbers = attention_mass(ops_, q.slice(0, n_queries), k, attention.scale, visible).mean_over_heads();
      for (float& number : numbers) number /= static_cast<float>(n_queries);
    }
    const auto width = static_cast<int64_t>(numbers.size()) / image.count;
    const Span& span = image.spans[0];
    TapValue& value = taps[i][tap];
    value.width = width;
    value.numbers.assign(static_cast<size_t>(image_rows_ * width), 0.0F);
    for (int64_t row = span.begin; row < span.begin + span.count; ++row) {
      const int64_t place = image.origin[static_cast<size_t>(row)] - span.origin_begin;
      std::copy_n(numbers.begin() + row * width, width, value.numbers.begin() + place * width);
    }
  }
}

}  // namespace fovea
