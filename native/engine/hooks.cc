#include "engine/hooks.h"

#include <algorithm>

#include "base/timer.h"
#include "engine/cache_stages.h"
#include "engine/stage_runner.h"

namespace fovea {
namespace {

void note_all(std::span<Session* const> sessions, Hook hook, int layer, const RowStream& stream, const Tensor& q,
              std::span<const AttentionSegment> segments, ScoreRule rule) {
  for (size_t i = 0; i < sessions.size(); ++i)
    note_attention(*sessions[i], hook, layer, stream.sequences[i], q, segments[i], rule);
}

}  // namespace

// Runs the stages of every session at a hook.
void PrefillHook::run_stages(Hook hook, int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    Session& session = *sessions_[i];
    for (const PlanStage& stage : session.plan.stages) {
      if (stage.hook != hook || stage.layer != layer) continue;
      const Timer timer;
      DecoderSource source(ops_, decoder_, stream, i, layer, session.prompt, inputs_[i], taps_, session.ask);
      session.stages.push_back(run_stage(ops_, stage, stream, i, source, session.keep_lists));
      session.select_ms += timer.milliseconds();
    }
  }
}

void PrefillHook::projected(RowStream& stream) {
  run_stages(Hook::kProjected, -1, stream);
  for (Sequence& sequence : stream.sequences) {
    int64_t next = 0;
    for (Span& span : sequence.spans) {
      span.decoder_rows = span.count;
      sequence.decoder_text.push_back(span.begin - next);
      next = span.begin + span.count;
    }
    sequence.decoder_text.push_back(sequence.count - next);
  }
}

void PrefillHook::before_layer(int layer, RowStream& stream) {
  run_stages(Hook::kDecoderLayer, layer, stream);
  keep_inputs(layer, stream);
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const Sequence& sequence = stream.sequences[i];
    int32_t& next = sessions_[i]->next_position[static_cast<size_t>(layer)];  // behind the rows that are cached
    next = std::max(
        next, next_position(std::span(stream.positions)
                                .subspan(static_cast<size_t>(sequence.begin), static_cast<size_t>(sequence.count))));
  }
}

// Copies what deeper stages read of this layer's input, and frees what no stage reads any more.
void PrefillHook::keep_inputs(int layer, const RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    for (const auto& [of, last_reader] : sessions_[i]->plan.taps.inputs) {
      if (last_reader == layer) inputs_[i].erase(of);
      if (of != layer) continue;
      Sequence sequence = stream.sequences[i];
      const auto begin = stream.positions.begin() + sequence.begin;
      LayerInput& input = inputs_[i][of];
      const Tensor rows = input.memory.resize(ops_, {sequence.count, stream.hidden.row_elements()});
      ops_.copy(stream.hidden.slice(sequence.begin, sequence.count), rows);
      sequence.begin = 0;
      input.stream = {rows, {begin, begin + sequence.count}, {std::move(sequence)}};
    }
  }
}

SubLayers PrefillHook::sub_layers(int layer) const {
  return sessions_.front()->plan.prefill[static_cast<size_t>(layer)];
}

void PrefillHook::attended(int layer, const RowStream& stream, const Tensor& q,
                           std::span<const AttentionSegment> segments, ScoreRule rule) {
  note_all(sessions_, Hook::kPrefilled, layer, stream, q, segments, rule);
}

void DecodeHook::before_layer(int layer, RowStream& stream) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const Sequence& sequence = stream.sequences[i];
    for (int64_t row = sequence.begin; row < sequence.begin + sequence.count; ++row)
      stream.positions[static_cast<size_t>(row)] = sessions_[i]->next_position[static_cast<size_t>(layer)]++;
  }
}

void DecodeHook::attended(int layer, const RowStream& stream, const Tensor& q,
                          std::span<const AttentionSegment> segments, ScoreRule rule) {
  note_all(sessions_, Hook::kDecodeStep, layer, stream, q, segments, rule);
}

}  // namespace fovea
