// {"do":"score","by":"logits","to":NAME}: how alike each row of a span is to the span in this layer's attention: its
// scaled query times the span's keys before softmax and mask, mean over heads and keys.
#include "prune/query_rows.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct LogitsStep final : Step {
  std::string to;

  void run(StageRun& run) const override {
    std::vector<Scores> scores;
    for (const Span& span : run.spans()) {
      const std::vector<int32_t> rows = rows_between(span.begin, span.begin + span.count);
      scores.push_back(rows.empty() ? Scores{} : run.source.mean_logits(rows));
    }
    run.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_score_logits(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kDecoderLayer) json.refuse("do", "a step that needs no decoder layer at this hook");
  scope.ask(scope.layer());
  auto step = std::make_unique<LogitsStep>();
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
