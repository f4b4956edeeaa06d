// {"do":"select","by":B,"keep":BUDGET,…,"to":NAME}: rows of each span by top-k of a score, by max-min diversity of
// features, evenly spaced, or at random.
#include "prune/select.h"

#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

// Chooses `keep` rows of span number `span`.
struct SelectStep : Step {
  KeepBudget keep;
  std::string to;

  virtual RowSet choose(const StageRun& run, size_t span, int64_t count) const = 0;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (size_t i = 0; i < run.spans().size(); ++i) chosen.push_back(choose(run, i, allocate(keep, run.spans()[i])));
    run.rows.set(to, std::move(chosen));
  }
};

struct TopKStep final : SelectStep {
  std::string score;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_top_k(run.scores.get(score)[span], count);
  }
};

struct MaxMinStep final : SelectStep {
  std::string features;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_max_min(run.ops, run.features_of(features)[span].view, count);
  }
};

struct UniformStep final : SelectStep {
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_uniform(run.spans()[span].count, count);
  }
};

struct RandomStep final : SelectStep {
  uint64_t seed = 0;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_random(run.spans()[span].count, count, seed);
  }
};

template <typename S>
std::unique_ptr<const Step> finish(std::unique_ptr<S> step, const Json& json, StepScope& scope) {
  step->keep = parse_budget(json.required_object("keep"));
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_select_top_k(const Json& json, StepScope& scope) {
  auto step = std::make_unique<TopKStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_select_max_min(const Json& json, StepScope& scope) {
  auto step = std::make_unique<MaxMinStep>();
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_select_uniform(const Json& json, StepScope& scope) {
  return finish(std::make_unique<UniformStep>(), json, scope);
}

std::unique_ptr<const Step> parse_select_random(const Json& json, StepScope& scope) {
  auto step = std::make_unique<RandomStep>();
  const int64_t seed = json.int_or("seed", 0);
  if (seed < 0) json.refuse("seed", "an integer of at least 0");
  step->seed = static_cast<uint64_t>(seed);
  return finish(std::move(step), json, scope);
}

}  // namespace fovea
