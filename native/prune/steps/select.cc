// {"do":"select","by":B,"keep":BUDGET,…,"to":NAME}: rows of each span by max-min diversity or a
// determinantal point process of features ("weight": scores), unlike the "pivots" rows of the largest "score" and the
// "vectors", evenly spaced, or at random.
#include "prune/select.h"

#include "prune/dpp.h"
#include "prune/pivots.h"
#include "prune/steps/parts.h"
#include "prune/steps/select.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct MaxMinStep final : SelectStep {
  std::string features, weight;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_max_min(run.ops, run.features_of(features)[span].view, count, weights(run, weight, span));
  }
};

// "parts": the span is cut into so many runs of rows, each with its share of the count.
struct DppStep final : SelectStep {
  std::string features, weight;
  int64_t parts = 1;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    const Tensor all = run.features_of(features)[span].view;
    const std::span<const float> worth = weights(run, weight, span);
    RowSet rows;
    for (int64_t part = 0; part < parts; ++part) {
      const auto [begin, end] = part_of(all.rows(), part, parts);
      const auto [kept, until] = part_of(count, part, parts);
      const std::span<const float> own =
          worth.empty() ? worth : worth.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
      for (const int32_t row : select_dpp(run.ops, all.slice(begin, end - begin), own, until - kept))
        rows.push_back(static_cast<int32_t>(begin + row));
    }
    return rows;
  }
};

struct PivotsStep final : SelectStep {
  std::string features, score, vectors;
  int64_t pivots = 1;
  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    return select_by_pivots(run.ops, run.features_of(features)[span].view, run.scores.get(score)[span], pivots,
                            run.vectors.get(vectors)[0].view, count);
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

}  // namespace

std::unique_ptr<const Step> parse_select_max_min(const Json& json, StepScope& scope) {
  auto step = std::make_unique<MaxMinStep>();
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  if (json.has("weight")) step->weight = scope.use(json, "weight", StepScope::Kind::kScores);
  return finish_select(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_select_dpp(const Json& json, StepScope& scope) {
  auto step = std::make_unique<DppStep>();
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  if (json.has("weight")) step->weight = scope.use(json, "weight", StepScope::Kind::kScores);
  step->parts = parse_parts(json);
  return finish_select(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_select_pivots(const Json& json, StepScope& scope) {
  auto step = std::make_unique<PivotsStep>();
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->vectors = scope.use(json, "vectors", StepScope::Kind::kVectors);
  step->pivots = json.required_int("pivots");
  if (step->pivots < 1) json.refuse("pivots", "an integer of at least 1");
  return finish_select(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_select_uniform(const Json& json, StepScope& scope) {
  return finish_select(std::make_unique<UniformStep>(), json, scope);
}

std::unique_ptr<const Step> parse_select_random(const Json& json, StepScope& scope) {
  auto step = std::make_unique<RandomStep>();
  const int64_t seed = json.int_or("seed", 0);
  if (seed < 0) json.refuse("seed", "an integer of at least 0");
  step->seed = static_cast<uint64_t>(seed);
  return finish_select(std::move(step), json, scope);
}

}  // namespace fovea
