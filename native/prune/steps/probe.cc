// {"do":"probe","queries":Q,"keys":K,"rope":bool,"to":NAME}: how much the rows Q attend to each visual row at this
// layer, mean over queries and heads. Q is "last" (the prompt's last row), "text" (every row of text) or "textAfter"
// (the text behind the last image, or all of it when none follows). K is "all" (default) or "visual": which keys share
// the probability.
#include <numeric>

#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

enum class Queries { kLast, kText, kTextAfter };
enum class Keys { kAll, kVisual };

std::vector<int32_t> rows_between(int64_t begin, int64_t end) {
  std::vector<int32_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), static_cast<int32_t>(begin));
  return rows;
}

std::vector<int32_t> text_rows(const Sequence& sequence) {
  std::vector<int32_t> rows;
  int64_t next = 0;
  for (const Span& span : sequence.spans) {
    for (; next < span.begin; ++next) rows.push_back(static_cast<int32_t>(next));
    next = span.begin + span.count;
  }
  for (; next < sequence.count; ++next) rows.push_back(static_cast<int32_t>(next));
  return rows;
}

std::vector<int32_t> query_rows(const Sequence& sequence, Queries queries) {
  if (queries == Queries::kLast) return {static_cast<int32_t>(sequence.count - 1)};
  const Span& last = sequence.spans.back();
  const int64_t behind = last.begin + last.count;
  if (queries == Queries::kTextAfter && behind < sequence.count) return rows_between(behind, sequence.count);
  return text_rows(sequence);
}

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
