// {"do":"select","by":B,"keep":BUDGET,"beside":ROWS,…,"to":NAME}: rows that complete ROWS, which are kept already, to
// the budget. B is "stride", "dissimilar" ("score", "features", "perRound") or "unlike" ("score", "features"; beside
// may be left out); see prune/select_beside.h.
#include "prune/select_beside.h"

#include <algorithm>

#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct BesideStep : Step {
  KeepBudget keep;
  std::string beside;  // empty: nothing is kept yet
  std::string to;

  // `count` of the rows that are not kept.
  virtual RowSet choose(const StageRun& run, size_t span, const RowSet& rest, int64_t count) const = 0;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (size_t i = 0; i < run.spans().size(); ++i) {
      const Span& span = run.spans()[i];
      const RowSet kept = beside.empty() ? RowSet() : run.rows.get(beside)[i];
      const RowSet rest = other_rows(span.count, kept);
      chosen.push_back(choose(run, i, rest, std::max<int64_t>(0, allocate(keep, span) - std::ssize(kept))));
    }
    run.rows.set(to, std::move(chosen));
  }
};

struct StrideStep final : BesideStep {
  RowSet choose(const StageRun&, size_t, const RowSet& rest, int64_t count) const override {
    return select_stride(rest, count);
  }
};

struct RankedStep : BesideStep {
  std::string score, features;
};

struct DissimilarStep final : RankedStep {
  int64_t per_round = 0;
  RowSet choose(const StageRun& run, size_t span, const RowSet& rest, int64_t count) const override {
    return select_dissimilar(run.ops, rest, run.scores.get(score)[span], run.features_of(features)[span].view,
                             per_round, count);
  }
};

struct UnlikeStep final : RankedStep {
  RowSet choose(const StageRun& run, size_t span, const RowSet& rest, int64_t count) const override {
    return select_unlike(run.ops, rest, run.scores.get(score)[span], run.features_of(features)[span].view, count);
  }
};

template <typename S>
std::unique_ptr<S> read(const Json& json, StepScope& scope, bool needs_beside) {
  auto step = std::make_unique<S>();
  step->keep = parse_budget(json.required_object("keep"));
  if (needs_beside || json.has("beside")) step->beside = scope.use(json, "beside", StepScope::Kind::kRows);
  if constexpr (std::is_base_of_v<RankedStep, S>) {
    step->score = scope.use(json, "score", StepScope::Kind::kScores);
    step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  }
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_select_stride(const Json& json, StepScope& scope) {
  return read<StrideStep>(json, scope, true);
}

std::unique_ptr<const Step> parse_select_dissimilar(const Json& json, StepScope& scope) {
  auto step = read<DissimilarStep>(json, scope, true);
  step->per_round = json.required_int("perRound");
  if (step->per_round < 1) json.refuse("perRound", "an integer of at least 1");
  return step;
}

std::unique_ptr<const Step> parse_select_unlike(const Json& json, StepScope& scope) {
  return read<UnlikeStep>(json, scope, false);
}

}  // namespace fovea
