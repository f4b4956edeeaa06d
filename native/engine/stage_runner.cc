#include "engine/stage_runner.h"

#include <algorithm>
#include <numeric>

namespace fovea {

const char* hook_name(Hook hook) {
  switch (hook) {
    case Hook::kPixels:
      return "pixels";
    case Hook::kVisionLayer:
      return "vision-layer";
    case Hook::kVisionOut:
      return "vision-out";
    case Hook::kProjected:
      return "projected";
    case Hook::kDecoderLayer:
      return "decoder-layer";
    case Hook::kPrefilled:
      return "prefilled";
    case Hook::kDecodeStep:
      return "decode-step";
  }
  throw Error(ErrorCode::kInternal, "an unknown hook");
}

int64_t total_rows(const std::vector<Span>& spans) {
  return std::accumulate(spans.begin(), spans.end(), int64_t{0},
                         [](int64_t sum, const Span& span) { return sum + span.count; });
}

void append_kept(const Sequence& sequence, const Span& span, std::vector<int32_t>& kept) {
  for (int64_t row = span.begin; row < span.begin + span.count; ++row)
    kept.push_back(static_cast<int32_t>(sequence.origin[static_cast<size_t>(row)] - span.origin_begin));
}

StageReport run_stage(Ops& ops, const PlanStage& stage, RowStream& stream, size_t index, StageSource& source,
                      bool keep_lists) {
  const Sequence& sequence = stream.sequences[index];
  StageReport report;
  report.name = stage.name;
  report.keep_lists = keep_lists;
  report.hook = hook_name(stage.hook);
  report.layer = stage.layer;
  for (const Span& span : sequence.spans) report.images.push_back({span.count, span.count, {}});
  StageRun run{ops, stream, index, source, stage.positions, {}, {}, {}, {}};
  run.over_text = stage.over_text;
  if (run.over_text) run.text = text_spans(sequence);
  // A text-only prompt, or one that has lost its visual rows, has nothing to choose from.
  const bool runs =
      std::any_of(run.spans().begin(), run.spans().end(), [](const Span& span) { return span.count > 0; });
  if (run.over_text) {
    report.text = StageReport::Image{};
    report.text->rows_in = total_rows(run.spans());
  }
  if (runs)
    for (const auto& step : stage.steps) step->run(run);
  for (size_t i = 0; i < sequence.spans.size(); ++i) {
    report.images[i].rows_out = sequence.spans[i].count;
    if (keep_lists) append_kept(sequence, sequence.spans[i], report.images[i].kept);
  }
  if (report.text) {
    report.text->rows_out = total_rows(run.spans());
    if (keep_lists)
      for (const Span& span : run.spans()) append_kept(sequence, span, report.text->kept);
  }
  return report;
}

}  // namespace fovea
