// What steps that choose rows have in common.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "prune/allocate.h"
#include "prune/step.h"
#include "prune/steps/parse.h"

namespace fovea {

// Chooses `keep` rows of each span.
struct SelectStep : Step {
  KeepBudget keep;
  std::string to;

  // count rows of span number `span`.
  virtual RowSet choose(const StageRun& run, size_t span, int64_t count) const = 0;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (size_t i = 0; i < run.spans().size(); ++i) chosen.push_back(choose(run, i, allocate(keep, run.spans()[i])));
    run.rows.set(to, std::move(chosen));
  }

  // Scores by name; none for the name "".
  static std::span<const float> weights(const StageRun& run, const std::string& name, size_t span) {
    return name.empty() ? std::span<const float>() : std::span<const float>(run.scores.get(name)[span]);
  }
};

// Reads the common part, last: a step does not see the value it makes.
inline std::unique_ptr<const Step> finish_select(std::unique_ptr<SelectStep> step, const Json& json, StepScope& scope) {
  step->keep = parse_budget(json.required_object("keep"));
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
