// {"do":"probe","queries":Q,"keys":K,"rope":bool,"to":NAME}: how much the rows Q attend to each visual row at this
// layer, mean over queries and heads. Q is "last" (the prompt's last row), "text" (every row of text) or "textAfter"
// (the text behind the last image, or all of it when none follows). K is "all" (default) or "visual": which keys share
// the probability.
#include "prune/query_rows.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

enum class Keys { kAll, kVisual };

struct ProbeStep final : Step {
  Queries queries;
  Keys keys;
  bool rope;
  std::string to;

  void run(StageRun& run) const override {
    const Sequence& sequence = run.sequence();
    std::vector<int32_t> key_rows;
    if (keys == Keys::kAll) {
      key_rows = rows_between(0, sequence.count);
    } else {
      for (const Span& span : sequence.spans)
        for (int64_t i = 0; i < span.count; ++i) key_rows.push_back(static_cast<int32_t>(span.begin + i));
    }
    const std::vector<int32_t> asking = query_rows(sequence, queries);
    std::vector<float> mass = run.source.attend(asking, key_rows, rope).mean_over_heads();
    for (float& value : mass) value /= static_cast<float>(asking.size());
    std::vector<Scores> scores;
    int64_t next = 0;  // of the visual keys
    for (const Span& span : sequence.spans) {
      const int64_t begin = keys == Keys::kAll ? span.begin : next;
      scores.emplace_back(mass.begin() + begin, mass.begin() + begin + span.count);
      next += span.count;
    }
    run.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_probe(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kDecoderLayer) json.refuse("do", "a step that needs no decoder layer at this hook");
  auto step = std::make_unique<ProbeStep>();
  step->queries = choice<Queries>(
      json, "queries", {{"last", Queries::kLast}, {"text", Queries::kText}, {"textAfter", Queries::kTextAfter}});
  step->keys = choice_or<Keys>(json, "keys", Keys::kAll, {{"all", Keys::kAll}, {"visual", Keys::kVisual}});
  step->rope = json.bool_or("rope", true);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
