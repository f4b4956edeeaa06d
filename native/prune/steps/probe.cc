// {"do":"probe","queries":Q,"keys":K,"rope":bool,"layer":L,"to":NAME}: how much the rows Q attend to each row of the
// spans, mean over queries and heads. Q is "last" (the prompt's last row, or its last "count" rows), "text" (every row
// of text), "textAfter" (the text behind the last image, or all of it when none follows) or "named" (those that the
// step raters called NAME in "rows"). K is "all" (default) or "visual": which keys share the probability. L: the
// attention of an earlier decoder layer as it ran; default: of the layer about to run.
#include <algorithm>

#include "prune/query_rows.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

enum class Keys { kAll, kVisual };

// What can be asked for by "queries".
struct Asking {
  enum class Kind { kLast, kRows, kNamed } kind;
  Queries rows = Queries::kText;  // of kRows
};

struct ProbeStep final : Step {
  Asking queries;
  int64_t count;     // of kLast
  std::string rows;  // of kNamed
  Keys keys;
  bool rope;
  int layer;
  bool is_here;  // layer is the one about to run
  std::string to;

  std::vector<int32_t> rows_that_ask(const StageRun& run) const {
    const Sequence& sequence = run.sequence();
    if (queries.kind == Asking::Kind::kNamed) return run.rows.get(rows).front();
    if (queries.kind == Asking::Kind::kRows) return query_rows(sequence, queries.rows);
    return rows_between(std::max<int64_t>(0, sequence.count - count), sequence.count);
  }

  void run(StageRun& run) const override {
    const Sequence& sequence = run.sequence();
    std::vector<int32_t> key_rows;
    if (keys == Keys::kAll) {
      key_rows = rows_between(0, sequence.count);
    } else {
      for (const Span& span : sequence.spans)
        for (int64_t i = 0; i < span.count; ++i) key_rows.push_back(static_cast<int32_t>(span.begin + i));
    }
    const std::vector<int32_t> asking = rows_that_ask(run);
    std::vector<float> mass =
        (is_here ? run.source.attend(asking, key_rows, rope) : run.source.attend_at(layer, asking, key_rows, rope))
            .mean_over_heads();
    for (float& value : mass) value /= static_cast<float>(asking.size());
    std::vector<Scores> scores;
    int64_t next = 0;  // of the visual keys
    for (const Span& span : run.spans()) {
      const int64_t begin = keys == Keys::kAll ? span.begin : next;
      scores.emplace_back(mass.begin() + begin, mass.begin() + begin + span.count);
      next += span.count;
    }
    run.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_probe(const Json& json, StepScope& scope) {
  auto step = std::make_unique<ProbeStep>();
  step->layer = scope.layer_input(json);
  step->is_here = step->layer == scope.layer();
  scope.ask(step->layer);
  step->queries = choice<Asking>(json, "queries",
                                 {{"last", {Asking::Kind::kLast}},
                                  {"text", {Asking::Kind::kRows, Queries::kText}},
                                  {"textAfter", {Asking::Kind::kRows, Queries::kTextAfter}},
                                  {"named", {Asking::Kind::kNamed}}});
  step->count = json.int_or("count", 1);
  if (step->count < 1) json.refuse("count", "an integer of at least 1");
  if (step->queries.kind == Asking::Kind::kNamed) step->rows = scope.use(json, "rows", StepScope::Kind::kQueries);
  step->keys = choice_or<Keys>(json, "keys", Keys::kAll, {{"all", Keys::kAll}, {"visual", Keys::kVisual}});
  if (step->keys == Keys::kVisual && scope.over_text()) json.refuse("keys", "all, in a stage over text");
  step->rope = json.bool_or("rope", true);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
