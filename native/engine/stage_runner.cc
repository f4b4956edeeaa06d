#include "engine/stage_runner.h"

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

StageReport run_stage(Ops& ops, const PlanStage& stage, RowStream& stream, size_t index, StageSource& source,
                      Positions positions, bool keep_lists) {
  const Sequence& sequence = stream.sequences[index];
  StageReport report;
  report.name = stage.name;
  report.hook = hook_name(stage.hook);
  report.layer = stage.layer;
  for (const Span& span : sequence.spans) report.images.push_back({span.count, span.count, {}});
  if (sequence.spans.empty()) return report;  // a text-only prompt
  StageRun run{ops, stream, index, source, positions, {}, {}, {}, {}};
  for (const auto& step : stage.steps) step->run(run);
  for (size_t i = 0; i < sequence.spans.size(); ++i) {
    const Span& span = sequence.spans[i];
    report.images[i].rows_out = span.count;
    if (!keep_lists) continue;
    for (int64_t row = span.begin; row < span.begin + span.count; ++row)
      report.images[i].kept.push_back(
          static_cast<int32_t>(sequence.origin[static_cast<size_t>(row)] - span.origin_begin));
  }
  return report;
}

}  // namespace fovea
