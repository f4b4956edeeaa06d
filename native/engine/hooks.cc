#include "engine/hooks.h"

#include "base/timer.h"
#include "engine/cache_stages.h"
#include "engine/decoder_source.h"
#include "engine/stage_runner.h"

namespace fovea {
namespace {

void note_all(std::span<Session* const> sessions, Hook hook, int layer, const RowStream& stream, const Tensor& q,
              float scale) {
  for (size_t i = 0; i < sessions.size(); ++i) {
    const Sequence& sequence = stream.sequences[i];
    note_attention(*sessions[i], hook, layer, sequence, q.slice(sequence.begin, sequence.count), scale);
  }
}

}  // namespace

// Runs the stages of every session at a hook.
void PrefillHook::run_stages(Hook hook, int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Session& session = *sessions_[i];
    for (const PlanStage& stage : session.plan.stages) {
      if (stage.hook != hook || stage.layer != layer) continue;
      const Timer timer;
      DecoderSource source(ops_, decoder_, stream, i, layer, taps_);
      session.stages.push_back(run_stage(ops_, stage, stream, i, source, session.plan.positions, session.keep_lists));
      session.select_ms += timer.milliseconds();
    }
  }
}

void PrefillHook::projected(RowStream& stream) {
  run_stages(Hook::kProjected, -1, stream);
  for (Sequence& sequence : stream.sequences)
    for (Span& span : sequence.spans) span.decoder_rows = span.count;
}

void PrefillHook::before_layer(int layer, RowStream& stream) {
  run_stages(Hook::kDecoderLayer, layer, stream);
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Session& session = *sessions_[i];
    session.next_position[static_cast<size_t>(layer)] = static_cast<int32_t>(
        session.plan.positions == Positions::kCompact ? stream.sequences[i].count : session.prompt_rows);
  }
}

SubLayers PrefillHook::sub_layers(int layer) const {
  return sessions_.front()->plan.prefill[static_cast<size_t>(layer)];
}

void PrefillHook::attended(int layer, const RowStream& stream, const Tensor& q, float scale) {
  note_all(sessions_, Hook::kPrefilled, layer, stream, q, scale);
}

void DecodeHook::before_layer(int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const Sequence& sequence = stream.sequences[i];
    for (int64_t row = sequence.begin; row < sequence.begin + sequence.count; ++row)
      stream.positions[static_cast<size_t>(row)] = sessions_[i]->next_position[static_cast<size_t>(layer)]++;
  }
}

void DecodeHook::attended(int layer, const RowStream& stream, const Tensor& q, float scale) {
  note_all(sessions_, Hook::kDecodeStep, layer, stream, q, scale);
}

}  // namespace fovea
