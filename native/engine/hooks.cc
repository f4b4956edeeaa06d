#include "engine/hooks.h"

#include "base/timer.h"
#include "prune/allocate.h"
#include "prune/gather.h"
#include "prune/probe.h"
#include "prune/select.h"

namespace fovea {
namespace {

// Runs one select step over every span of a sequence. scores (count) of the sequence's rows, if a probe ran before.
std::vector<std::vector<int32_t>> select_rows(Ops& ops, const PlanStep& step, const RowStream& stream,
                                              const Sequence& sequence, std::span<const float> scores) {
  std::vector<std::vector<int32_t>> keep_lists;
  for (const Span& span : sequence.spans) {
    const int64_t keep = allocate(step.keep, span);
    switch (step.kind) {
      case PlanStep::Kind::kSelectTopK:
        keep_lists.push_back(
            select_top_k(scores.subspan(static_cast<size_t>(span.begin), static_cast<size_t>(span.count)), keep));
        break;
      case PlanStep::Kind::kSelectMaxMin:
        keep_lists.push_back(select_max_min(ops, stream.hidden.slice(sequence.begin + span.begin, span.count), keep));
        break;
      case PlanStep::Kind::kSelectUniform:
        keep_lists.push_back(select_uniform(span.count, keep));
        break;
      case PlanStep::Kind::kSelectRandom:
        keep_lists.push_back(select_random(span.count, keep, step.seed));
        break;
      case PlanStep::Kind::kProbeLastRow:
        throw Error(ErrorCode::kInternal, "a probe selects nothing");
    }
  }
  return keep_lists;
}

StageReport begin_report(const PlanStage& stage, const Sequence& sequence) {
  StageReport report;
  report.name = stage.name;
  report.hook = stage.hook == PlanStage::Hook::kProjected ? "projected" : "decoder-layer";
  report.layer = stage.layer;
  for (const Span& span : sequence.spans) report.images.push_back({span.count, span.count, {}});
  return report;
}

void end_report(StageReport& report, const Sequence& sequence, bool keep_lists) {
  for (size_t i = 0; i < sequence.spans.size(); ++i) {
    const Span& span = sequence.spans[i];
    report.images[i].rows_out = span.count;
    if (!keep_lists) continue;
    for (int64_t row = span.begin; row < span.begin + span.count; ++row)
      report.images[i].kept.push_back(
          static_cast<int32_t>(sequence.origin[static_cast<size_t>(row)] - span.origin_begin));
  }
}

}  // namespace

void PrefillHook::run_stage(const PlanStage& stage, RowStream& stream, size_t index) {
  const Sequence& sequence = stream.sequences[index];
  Session& session = *sessions_[index];
  const Timer timer;
  StageReport report = begin_report(stage, sequence);
  if (sequence.spans.empty()) return session.stages.push_back(std::move(report));  // a text-only prompt
  std::vector<float> scores;
  for (const PlanStep& step : stage.steps) {
    if (step.kind == PlanStep::Kind::kProbeLastRow) {
      const Decoder::Probe probed = decoder_.probe_last_row(stage.layer, stream, sequence);
      scores = probe(ops_, probed.q, probed.k, decoder_.attention_scale());
    } else {
      gather(ops_, stream, index, select_rows(ops_, step, stream, sequence, scores), session.plan.positions);
      scores.clear();
    }
  }
  end_report(report, sequence, session.keep_lists);
  session.stages.push_back(std::move(report));
  session.select_ms += timer.milliseconds();
}

void PrefillHook::projected(RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    for (const PlanStage& stage : sessions_[i]->plan.stages)
      if (stage.hook == PlanStage::Hook::kProjected) run_stage(stage, stream, i);
    for (Span& span : stream.sequences[i].spans) span.decoder_rows = span.count;
  }
}

void PrefillHook::before_layer(int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Session& session = *sessions_[i];
    for (const PlanStage& stage : session.plan.stages)
      if (stage.hook == PlanStage::Hook::kDecoderLayer && stage.layer == layer) run_stage(stage, stream, i);
    session.next_position[static_cast<size_t>(layer)] = static_cast<int32_t>(
        session.plan.positions == Positions::kCompact ? stream.sequences[i].count : session.prompt_rows);
  }
}

SubLayers PrefillHook::sub_layers(int layer) const {
  return sessions_.front()->plan.prefill[static_cast<size_t>(layer)];
}

void DecodeHook::before_layer(int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i)
    stream.positions[i] = sessions_[i]->next_position[static_cast<size_t>(layer)]++;
}

SubLayers DecodeHook::sub_layers(int layer) const { return sessions_.front()->plan.decode[static_cast<size_t>(layer)]; }

}  // namespace fovea
