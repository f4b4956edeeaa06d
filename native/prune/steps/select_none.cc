// All or none of the visual rows of a prompt.
// {"do":"select","by":"none","to":NAME}: none.
// {"do":"select","by":"mass","score":S,"atLeast":T,"to":NAME}: all if the scores of all visual rows add up to T or
// more, else none.
#include <cmath>
#include <numeric>

#include "prune/select.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

std::vector<RowSet> all_or_none(const StageRun& run, bool all) {
  std::vector<RowSet> rows;
  for (const Span& span : run.spans()) rows.push_back(all ? select_uniform(span.count, span.count) : RowSet{});
  return rows;
}

struct NoneStep final : Step {
  std::string to;
  void run(StageRun& run) const override { run.rows.set(to, all_or_none(run, false)); }
};

struct MassStep final : Step {
  std::string score, to;
  double at_least;

  void run(StageRun& run) const override {
    double mass = 0;
    for (const Scores& scores : run.scores.get(score)) mass = std::accumulate(scores.begin(), scores.end(), mass);
    if (std::isnan(mass)) throw Error(ErrorCode::kNumeric, "the scores of the visual rows hold NaN");
    run.rows.set(to, all_or_none(run, mass >= at_least));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_none(const Json& json, StepScope& scope) {
  auto step = std::make_unique<NoneStep>();
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_select_mass(const Json& json, StepScope& scope) {
  auto step = std::make_unique<MassStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->at_least = json.required_number("atLeast");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
