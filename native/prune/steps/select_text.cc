// Rows of text to hold on to.
// {"do":"select","by":"edges","first":F,"last":L,"to":NAME}: the first F and the last L rows of the sequence.
// {"do":"select","by":"tokens","ids":[…],"to":NAME}: rows of these tokens.
#include <set>

#include "prune/steps/steps.h"

namespace fovea {
namespace {

constexpr size_t kMaxIds = 1 << 16;

struct EdgesStep final : Step {
  int64_t first, last;
  std::string to;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (const Span& span : run.spans()) {
      RowSet& rows = chosen.emplace_back();
      for (int64_t i = 0; i < span.count; ++i) {
        const int64_t row = span.begin + i;
        if (row < first || row >= run.sequence().count - last) rows.push_back(static_cast<int32_t>(i));
      }
    }
    run.rows.set(to, std::move(chosen));
  }
};

struct TokensStep final : Step {
  std::set<int64_t> ids;
  std::string to;

  void run(StageRun& run) const override {
    const std::span<const int32_t> prompt = run.source.prompt();
    std::vector<RowSet> chosen;
    for (const Span& span : run.spans()) {
      RowSet& rows = chosen.emplace_back();
      for (int64_t i = 0; i < span.count; ++i) {
        const int32_t origin = run.sequence().origin[static_cast<size_t>(span.begin + i)];
        if (ids.contains(prompt[static_cast<size_t>(origin)])) rows.push_back(static_cast<int32_t>(i));
      }
    }
    run.rows.set(to, std::move(chosen));
  }
};

void require_text(const Json& json, const StepScope& scope) {
  if (!scope.over_text()) json.refuse("by", "a kind of selection that is not of text, or a stage over text");
}

}  // namespace

std::unique_ptr<const Step> parse_select_edges(const Json& json, StepScope& scope) {
  require_text(json, scope);
  auto step = std::make_unique<EdgesStep>();
  step->first = json.required_int("first");
  step->last = json.required_int("last");
  if (step->first < 0) json.refuse("first", "an integer of at least 0");
  if (step->last < 1) json.refuse("last", "an integer of at least 1: the last row says what comes next");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_select_tokens(const Json& json, StepScope& scope) {
  require_text(json, scope);
  auto step = std::make_unique<TokensStep>();
  const Json::Array& ids = json.required_array("ids").array();
  if (ids.size() > kMaxIds) json.refuse("ids", "at most 65536 token ids");
  for (const Json& id : ids) {
    const auto token = id.integer();
    if (!token) json.refuse("ids", "token ids");
    step->ids.insert(*token);
  }
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
