#include "engine/cache_stages.h"

#include <algorithm>

#include "base/timer.h"
#include "engine/stage_runner.h"
#include "ops/device_array.h"
#include "prune/attention_mass.h"
#include "prune/attention_sparsity.h"

namespace fovea {
namespace {

bool acts_on_cache(const LoweredPlan& plan) {
  return std::any_of(plan.stages.begin(), plan.stages.end(),
                     [](const PlanStage& stage) { return is_cache_hook(stage.hook); });
}

std::vector<int32_t> asking_rows(const Sequence& sequence, const CacheTap& tap) {
  if (tap.queries != Queries::kLast) return query_rows(sequence, tap.queries);
  return rows_between(std::max<int64_t>(0, sequence.count - tap.window), sequence.count);
}

// What these rows of a causal segment see, or (n_kv_heads) times that where key heads differ.
std::vector<KeyRange> seen_by(const AttentionSegment& segment, std::span<const int32_t> rows) {
  std::vector<KeyRange> ranges;
  if (segment.sees.empty())
    for (int32_t row : rows) ranges.push_back({0, segment.k.rows() - segment.n_q + row + 1});
  for (auto head = segment.sees.begin(); head != segment.sees.end(); head += segment.n_q)
    for (int32_t row : rows) ranges.push_back(head[row]);
  return ranges;
}

// Per KV head, the mean over the query heads that share it.
std::vector<Scores> per_kv_head(const AttentionMass& mass) {
  std::vector<Scores> heads(static_cast<size_t>(mass.n_kv_heads), Scores(static_cast<size_t>(mass.n_keys), 0.0F));
  const int64_t group = mass.n_heads / mass.n_kv_heads;
  for (int64_t head = 0; head < mass.n_heads; ++head)
    for (int64_t key = 0; key < mass.n_keys; ++key)
      heads[static_cast<size_t>(head / group)][static_cast<size_t>(key)] +=
          mass.numbers[static_cast<size_t>(head * mass.n_keys + key)] / static_cast<float>(group);
  return heads;
}

void forget_notes(CacheState& state) {
  for (CacheLayer& layer : state.layers) {
    layer.masses.clear();
    layer.sparsities.clear();
  }
}

// The report of a stage before it ran.
StageReport report_of(const PlanStage& stage, const KvCache& cache) {
  StageReport report;
  report.name = stage.name;
  report.hook = hook_name(stage.hook);
  for (int layer = 0; layer < cache.n_layers(); ++layer)
    report.layers.push_back({cache.length(layer), cache.length(layer), {}});
  return report;
}

void run_stage(const PlanStage& stage, Session& session) {
  CacheRun run{session.cache, session.cache_state};
  for (const auto& step : stage.cache_steps) step->run(run);
}

}  // namespace

void note_attention(Session& session, Hook hook, int layer, const Sequence& sequence, const Tensor& q,
                    const AttentionSegment& segment, ScoreRule rule) {
  if (!acts_on_cache(session.plan)) return;
  const Timer timer;
  Ops& ops = session.ops;
  CacheLayer& notes = session.cache_state.layers[static_cast<size_t>(layer)];
  if (hook == Hook::kPrefilled && session.keep_lists) notes.origin = {sequence.origin};
  const auto taps = session.plan.taps.cache.find(hook);
  if (taps == session.plan.taps.cache.end()) return;
  for (const CacheTap& tap : taps->second) {
    const std::vector<int32_t> rows = asking_rows(sequence, tap);
    const std::vector<KeyRange> sees = seen_by(segment, rows);
    DeviceArray memory;
    Tensor asking = q.slice(segment.q_begin + rows.front(), static_cast<int64_t>(rows.size()));
    if (rows.back() - rows.front() + 1 != static_cast<int32_t>(rows.size())) {
      asking = memory.resize(ops, {static_cast<int64_t>(rows.size()), q.shape[1] * q.shape[2]});
      const Tensor queries = q.slice(segment.q_begin, segment.n_q);
      ops.gather_rows(queries.reshape_rows({q.shape[1] * q.shape[2]}), rows, asking);
      asking = asking.reshape_rows({q.shape[1], q.shape[2]});
    }
    if (tap.kind == CacheTap::Kind::kMass) {
      notes.masses[tap] = per_kv_head(attention_mass(ops, asking, segment.k, rule, sees));
    } else {
      notes.sparsities[tap] = attention_sparsity(ops, asking, segment.k, rule, sees, tap.below);
    }
  }
  session.select_ms += timer.milliseconds();
}

void compact_prefilled(Session& session) {
  if (!acts_on_cache(session.plan)) return;
  const Timer timer;
  for (const PlanStage& stage : session.plan.stages) {
    if (stage.hook != Hook::kPrefilled) continue;
    StageReport report = report_of(stage, session.cache);
    run_stage(stage, session);
    for (size_t layer = 0; layer < report.layers.size(); ++layer) {
      report.layers[layer].rows_out = session.cache.length(static_cast<int>(layer));
      report.layers[layer].kept = session.cache_state.layers[layer].origin;
    }
    session.stages.push_back(std::move(report));
  }
  session.cache.shrink();
  for (CacheLayer& layer : session.cache_state.layers) layer.origin.clear();
  forget_notes(session.cache_state);
  for (const PlanStage& stage : session.plan.stages)
    if (stage.hook == Hook::kDecodeStep) session.stages.push_back(report_of(stage, session.cache));
  session.select_ms += timer.milliseconds();
}

void compact_decoded(Session& session) {
  size_t reported = session.stages.size();  // the reports of these stages are the last ones
  for (const PlanStage& stage : session.plan.stages) reported -= stage.hook == Hook::kDecodeStep ? 1 : 0;
  for (const PlanStage& stage : session.plan.stages) {
    if (stage.hook != Hook::kDecodeStep) continue;
    StageReport& report = session.stages[reported++];
    for (size_t layer = 0; layer < report.layers.size(); ++layer)
      report.layers[layer].rows_in += session.cache.length(static_cast<int>(layer)) - report.layers[layer].rows_out;
    run_stage(stage, session);
    for (size_t layer = 0; layer < report.layers.size(); ++layer)
      report.layers[layer].rows_out = session.cache.length(static_cast<int>(layer));
  }
  forget_notes(session.cache_state);
}

}  // namespace fovea
