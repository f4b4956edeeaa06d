// {"do":"score","by":B,"features":F,…,"to":NAME}: a number per row from its vector. B is "cosine" (mean cosine with
// "vectors", times "sign"), "focusedCosine" (the same weighted by how sharply each vector points; "share" of them),
// "distinctiveness" (minus the mean cosine with the other rows), "variance" (of the cosines with the rows of the same
// one of "parts") or "norm" ("p": 1 or 2).
#include "prune/score.h"

#include "prune/steps/parse.h"
#include "prune/steps/parts.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct ScoreStep : Step {
  std::string features, to;

  virtual Scores score(const StageRun& run, const Tensor& rows) const = 0;

  void run(StageRun& run) const override {
    std::vector<Scores> scores;
    for (const Features& of_span : run.features_of(features)) scores.push_back(score(run, of_span.view));
    run.scores.set(to, std::move(scores));
  }
};

struct CosineStep final : ScoreStep {
  std::string vectors;
  float sign = 1;
  Scores score(const StageRun& run, const Tensor& rows) const override {
    Scores scores = score_cosine(run.ops, rows, run.vectors.get(vectors)[0].view);
    for (float& value : scores) value *= sign;
    return scores;
  }
};

struct FocusedCosineStep final : ScoreStep {
  std::string vectors;
  float sign = 1;
  Focus focus;
  Scores score(const StageRun& run, const Tensor& rows) const override {
    return score_focused_cosine(run.ops, rows, run.vectors.get(vectors)[0].view, sign, focus);
  }
};

struct DistinctivenessStep final : ScoreStep {
  Scores score(const StageRun& run, const Tensor& rows) const override { return score_distinctiveness(run.ops, rows); }
};

struct VarianceStep final : ScoreStep {
  int64_t parts = 1;
  Scores score(const StageRun& run, const Tensor& rows) const override {
    Scores all;
    for (int64_t part = 0; part < parts; ++part) {
      const auto [begin, end] = part_of(rows.rows(), part, parts);
      const Scores own = score_variance(run.ops, rows.slice(begin, end - begin));
      all.insert(all.end(), own.begin(), own.end());
    }
    return all;
  }
};

struct NormStep final : ScoreStep {
  int p = 2;
  Scores score(const StageRun& run, const Tensor& rows) const override { return score_norm(run.ops, rows, p); }
};

float parse_sign(const Json& json) {
  const int64_t sign = json.int_or("sign", 1);
  if (sign != 1 && sign != -1) json.refuse("sign", "1 or -1");
  return static_cast<float>(sign);
}

std::unique_ptr<const Step> finish(std::unique_ptr<ScoreStep> step, const Json& json, StepScope& scope) {
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_score_cosine(const Json& json, StepScope& scope) {
  auto step = std::make_unique<CosineStep>();
  step->vectors = scope.use(json, "vectors", StepScope::Kind::kVectors);
  step->sign = parse_sign(json);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_score_focused_cosine(const Json& json, StepScope& scope) {
  auto step = std::make_unique<FocusedCosineStep>();
  step->vectors = scope.use(json, "vectors", StepScope::Kind::kVectors);
  step->sign = parse_sign(json);
  step->focus.share = json.number_or("share", 1);
  if (!(step->focus.share > 0 && step->focus.share <= 1)) json.refuse("share", "a number above 0 and at most 1");
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_score_distinctiveness(const Json& json, StepScope& scope) {
  return finish(std::make_unique<DistinctivenessStep>(), json, scope);
}

std::unique_ptr<const Step> parse_score_variance(const Json& json, StepScope& scope) {
  auto step = std::make_unique<VarianceStep>();
  step->parts = parse_parts(json);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_score_norm(const Json& json, StepScope& scope) {
  auto step = std::make_unique<NormStep>();
  const int64_t p = json.required_int("p");
  if (p != 1 && p != 2) json.refuse("p", "1 or 2");
  step->p = static_cast<int>(p);
  return finish(std::move(step), json, scope);
}

}  // namespace fovea
