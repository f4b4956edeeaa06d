// {"do":"select","by":"outliers","score":NAME,"reach":R,"to":NAME}: the rows of each span whose score stands out, more
// than R interquartile ranges above the third quartile; the one of the largest score if none does.
#include "prune/select.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct OutliersStep final : Step {
  std::string score, to;
  double reach = 0;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (const Scores& scores : run.scores.get(score)) chosen.push_back(select_outliers(scores, reach));
    run.rows.set(to, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_outliers(const Json& json, StepScope& scope) {
  auto step = std::make_unique<OutliersStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->reach = positive_number(json, "reach");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
