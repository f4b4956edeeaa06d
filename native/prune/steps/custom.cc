// {"do":"score","by":"custom","use":NAME,"to":NAME} and {"do":"select","by":"custom","use":NAME,"to":NAME}: scores of
// the rows, or those that stay, as the caller of the request says when asked.
#include <cmath>
#include <limits>

#include "ops/host_copy.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

constexpr size_t kMaxName = 64;

std::vector<float> text_rows(const StageRun& run) {
  std::vector<float> text;
  for (const Span& stretch : text_spans(run.sequence())) {
    const std::vector<float> rows = host_copy(run.ops, run.hidden(stretch));
    text.insert(text.end(), rows.begin(), rows.end());
  }
  return text;
}

[[noreturn]] void refuse(const std::string& use, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "custom rows, " + use + ": " + problem);
}

Scores to_scores(const std::vector<double>& answer, int64_t rows, const std::string& use) {
  if (static_cast<int64_t>(answer.size()) != rows) refuse(use, "expected a score for each of the rows");
  Scores scores;
  for (double score : answer) {
    if (!(std::fabs(score) <= std::numeric_limits<float>::max())) refuse(use, "expected finite scores");
    scores.push_back(static_cast<float>(score));
  }
  return scores;
}

RowSet to_rows(const std::vector<double>& answer, int64_t rows, const std::string& use) {
  RowSet kept;
  double before = -1;
  for (double row : answer) {
    if (!(row > before && row < static_cast<double>(rows)) || row != std::floor(row))
      refuse(use, "expected rows of the image, ascending");
    kept.push_back(static_cast<int32_t>(before = row));
  }
  return kept;
}

struct CustomStep final : Step {
  std::string use, to;
  bool scores;

  void run(StageRun& run) const override {
    const std::vector<float> text = text_rows(run);
    std::vector<Scores> all_scores;
    std::vector<RowSet> all_rows;
    for (const Span& span : run.spans()) {
      RowQuestion question{
          use, scores, span.image, run.stream.hidden.row_elements(), host_copy(run.ops, run.hidden(span)), {}, text};
      for (int64_t row = 0; row < span.count; ++row)
        question.places.push_back(static_cast<int32_t>(run.place(span, row)));
      // Of no rows nothing can be said. Without an answer the request ends, and what it chose counts no more.
      const auto answer = span.count == 0 ? std::vector<double>() : run.source.ask(std::move(question));
      if (scores)
        all_scores.push_back(answer ? to_scores(*answer, span.count, use) : Scores(static_cast<size_t>(span.count)));
      else
        all_rows.push_back(answer ? to_rows(*answer, span.count, use) : RowSet{});
    }
    if (scores)
      run.scores.set(to, std::move(all_scores));
    else
      run.rows.set(to, std::move(all_rows));
  }
};

std::unique_ptr<const Step> parse(const Json& json, StepScope& scope, bool scores) {
  if ((scope.hook() != Hook::kProjected && scope.hook() != Hook::kDecoderLayer) || scope.over_text())
    json.refuse("do", "a step that the caller has no part in, at this hook");
  auto step = std::make_unique<CustomStep>();
  step->use = json.required_string("use");
  if (step->use.empty() || step->use.size() > kMaxName) json.refuse("use", "a name of 1 to 64 characters");
  step->scores = scores;
  step->to = scope.define(json, scores ? StepScope::Kind::kScores : StepScope::Kind::kRows);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_score_custom(const Json& json, StepScope& scope) { return parse(json, scope, true); }

std::unique_ptr<const Step> parse_select_custom(const Json& json, StepScope& scope) {
  return parse(json, scope, false);
}

}  // namespace fovea
