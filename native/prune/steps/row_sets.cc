// {"do":"union","of":[NAME, …],"to":NAME}: rows in any of the sets. {"do":"without","rows":NAME,"to":NAME}: every row
// of the span that is not among rows.
#include <algorithm>

#include "prune/select_beside.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct UnionStep final : Step {
  std::vector<std::string> of;
  std::string to;

  void run(StageRun& run) const override {
    std::vector<RowSet> all(run.spans().size());
    for (const std::string& name : of) {
      for (size_t i = 0; i < all.size(); ++i) {
        const RowSet& rows = run.rows.get(name)[i];
        RowSet both;
        std::set_union(all[i].begin(), all[i].end(), rows.begin(), rows.end(), std::back_inserter(both));
        all[i] = std::move(both);
      }
    }
    run.rows.set(to, std::move(all));
  }
};

struct WithoutStep final : Step {
  std::string rows, to;

  void run(StageRun& run) const override {
    std::vector<RowSet> others;
    for (size_t i = 0; i < run.spans().size(); ++i)
      others.push_back(other_rows(run.spans()[i].count, run.rows.get(rows)[i]));
    run.rows.set(to, std::move(others));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_union(const Json& json, StepScope& scope) {
  auto step = std::make_unique<UnionStep>();
  constexpr size_t kMost = 16;
  const Json::Array& names = json.required_array("of").array();
  if (names.empty() || names.size() > kMost) json.refuse("of", "a list of 1 to 16 names");
  for (const Json& name : names) {
    if (!name.is_string()) json.refuse("of", "a list of names");
    scope.require(name.string(), json, "of", StepScope::Kind::kRows);
    step->of.push_back(name.string());
  }
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_without(const Json& json, StepScope& scope) {
  auto step = std::make_unique<WithoutStep>();
  step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
