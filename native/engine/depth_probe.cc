#include "engine/depth_probe.h"

#include <cmath>

namespace fovea {
namespace {

bool is_visual(const Sequence& sequence, int64_t row) {
  for (const Span& span : sequence.spans)
    if (row >= span.begin && row < span.begin + span.count) return true;
  return false;
}

}  // namespace

DepthReport::Change row_change(std::span<const float> before, std::span<const float> after) {
  double dot = 0, before_2 = 0, after_2 = 0, delta_2 = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const double a = before[i], b = after[i];
    dot += a * b;
    before_2 += a * a;
    after_2 += b * b;
    delta_2 += (b - a) * (b - a);
  }
  if (delta_2 == 0) return {1, 0};
  if (before_2 == 0 || after_2 == 0) return {0, 1};
  return {dot / std::sqrt(before_2 * after_2), std::sqrt(delta_2 / before_2)};
}

void DepthProbe::before_layer(int layer, RowStream& stream) {
  plan_.before_layer(layer, stream);
  entered_ = host_rows(stream);
  keep_last_rows(stream, entered_);
  for (size_t s = 0; s < reports_.size(); ++s) {
    DepthReport::Layer& report = reports_[s].layers.emplace_back();
    for (const Span& span : stream.sequences[s].spans) report.rows[DepthReport::kVisual] += span.count;
    report.rows[DepthReport::kText] = stream.sequences[s].count - report.rows[DepthReport::kVisual];
  }
}

void DepthProbe::after_attention(int /*layer*/, const RowStream& stream) {
  attended_ = host_rows(stream);
  measure(DepthReport::kAttention, stream, entered_, attended_);
}

void DepthProbe::after_ffn(int /*layer*/, const RowStream& stream) {
  const std::vector<float> left = host_rows(stream);
  measure(DepthReport::kFfn, stream, attended_, left);
  measure(DepthReport::kBlock, stream, entered_, left);
}

void DepthProbe::finish(const RowStream& stream) { keep_last_rows(stream, host_rows(stream)); }

std::vector<float> DepthProbe::host_rows(const RowStream& stream) {
  std::vector<float> rows(static_cast<size_t>(stream.hidden.elements()));
  ops_.copy_to_host(stream.hidden, rows.data());
  return rows;
}

void DepthProbe::keep_last_rows(const RowStream& stream, const std::vector<float>& rows) {
  const int64_t d = stream.hidden.row_elements();
  for (size_t s = 0; s < reports_.size(); ++s) {
    const auto last = rows.begin() + (stream.sequences[s].begin + stream.sequences[s].count - 1) * d;
    reports_[s].last_row.insert(reports_[s].last_row.end(), last, last + d);
  }
}

void DepthProbe::measure(DepthReport::Part part, const RowStream& stream, const std::vector<float>& before,
                         const std::vector<float>& after) {
  const auto d = static_cast<size_t>(stream.hidden.row_elements());
  for (size_t s = 0; s < reports_.size(); ++s) {
    const Sequence& sequence = stream.sequences[s];
    for (int64_t row = 0; row < sequence.count; ++row) {
      const size_t at = static_cast<size_t>(sequence.begin + row) * d;
      const auto change = row_change(std::span(before).subspan(at, d), std::span(after).subspan(at, d));
      const auto kind = is_visual(sequence, row) ? DepthReport::kVisual : DepthReport::kText;
      DepthReport::Change& sum = reports_[s].layers.back().sums[kind][part];
      sum.cosine += change.cosine;
      sum.contribution += change.contribution;
    }
  }
}

}  // namespace fovea
