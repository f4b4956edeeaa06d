// {"do":"select","by":"topK","score":NAME,"keep":BUDGET | "quota":NAME,"among":NAME,"to":NAME}: the rows of the largest
// score, of each span or of those "among" (rows; a budget then is of them). With a quota, which "allocate" made, of
// each equal run of rows apart.
#include "prune/select.h"
#include "prune/select_beside.h"
#include "prune/steps/parse.h"
#include "prune/steps/parts.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct TopKStep final : Step {
  std::string score, to;
  std::string quota;  // instead of keep, when not empty
  std::string among;  // empty: all rows
  KeepBudget keep;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (size_t i = 0; i < run.spans().size(); ++i) chosen.push_back(choose(run, i));
    run.rows.set(to, std::move(chosen));
  }

 private:
  RowSet choose(const StageRun& run, size_t i) const {
    const Scores& scores = run.scores.get(score)[i];
    Span span = run.spans()[i];
    if (!among.empty()) {
      const RowSet& rows = run.rows.get(among)[i];
      span.count = std::ssize(rows);
      Scores own;
      for (const int32_t row : rows) own.push_back(scores[static_cast<size_t>(row)]);
      RowSet best = select_top_k(own, allocate(keep, span));
      for (int32_t& row : best) row = rows[static_cast<size_t>(row)];
      return best;
    }
    if (quota.empty()) return select_top_k(scores, allocate(keep, span));
    const Quotas& counts = run.quotas.get(quota)[i];
    RowSet best;
    for (int64_t part = 0; part < std::ssize(counts); ++part) {
      const auto [begin, end] = part_of(span.count, part, std::ssize(counts));
      const auto own = std::span(scores).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
      for (const int32_t row : select_top_k(own, counts[static_cast<size_t>(part)]))
        best.push_back(static_cast<int32_t>(begin + row));
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_top_k(const Json& json, StepScope& scope) {
  auto step = std::make_unique<TopKStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  if (json.has("keep") == json.has("quota")) json.refuse("keep", "exactly one of keep and quota");
  if (json.has("quota")) {
    step->quota = scope.use(json, "quota", StepScope::Kind::kQuotas);
  } else {
    step->keep = parse_budget(json.required_object("keep"));
  }
  if (json.has("among")) {
    if (json.has("quota")) json.refuse("among", "no among beside a quota, which is of all rows");
    step->among = scope.use(json, "among", StepScope::Kind::kRows);
  }
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
