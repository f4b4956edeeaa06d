// {"do":"combine","by":"product"|"sum","scores":[NAME, …],"factors":[X, …],"to":NAME}: scores from scores, row by row.
// factors: of a sum, one per name.
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct CombineStep final : Step {
  std::vector<std::string> scores;
  std::vector<double> factors;  // empty: the product
  std::string to;

  void run(StageRun& run) const override {
    std::vector<Scores> combined;
    for (size_t span = 0; span < run.spans().size(); ++span) {
      Scores out(run.scores.get(scores[0])[span].size());
      for (size_t row = 0; row < out.size(); ++row) {
        double value = factors.empty() ? 1 : 0;
        for (size_t i = 0; i < scores.size(); ++i) {
          const double next = run.scores.get(scores[i])[span][row];
          value = factors.empty() ? value * next : value + factors[i] * next;
        }
        out[row] = static_cast<float>(value);
      }
      combined.push_back(std::move(out));
    }
    run.scores.set(to, std::move(combined));
  }
};

std::unique_ptr<const Step> finish(std::unique_ptr<CombineStep> step, const Json& json, StepScope& scope) {
  step->scores = scope.use_all(json, "scores", StepScope::Kind::kScores);
  if (!step->factors.empty() && step->factors.size() != step->scores.size())
    json.refuse("factors", "a number for each of scores");
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_combine_product(const Json& json, StepScope& scope) {
  return finish(std::make_unique<CombineStep>(), json, scope);
}

std::unique_ptr<const Step> parse_combine_sum(const Json& json, StepScope& scope) {
  auto step = std::make_unique<CombineStep>();
  for (const Json& item : json.required_array("factors").array()) {
    if (!item.is_number()) json.refuse("factors", "a list of numbers");
    step->factors.push_back(item.number());
  }
  if (step->factors.empty()) json.refuse("factors", "a number for each of scores");
  return finish(std::move(step), json, scope);
}

}  // namespace fovea
