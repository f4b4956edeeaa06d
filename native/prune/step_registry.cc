#include <string_view>

#include "prune/step.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

// By "do", or "do by" where a step comes in kinds.
const std::map<std::string, StepParser, std::less<>> kSteps{
    {"gather", parse_gather},
    {"probe", parse_probe},
    {"select maxMin", parse_select_max_min},
    {"select random", parse_select_random},
    {"select topK", parse_select_top_k},
    {"select uniform", parse_select_uniform},
};

}  // namespace

std::unique_ptr<const Step> parse_step(const Json& json, StepScope& scope) {
  std::string name = json.required_string("do");
  if (json.has("by")) name += " " + json.required_string("by");
  const auto found = kSteps.find(name);
  if (found != kSteps.end()) return found->second(json, scope);
  std::string expected;
  for (const auto& [known, parser] : kSteps) expected += (expected.empty() ? "" : ", ") + known;
  json.refuse("do", "do and by as one of: " + expected);
}

std::string StepScope::use(const Json& json, const char* key, Kind kind) const {
  const std::string& name = json.required_string(key);
  if (kind == Kind::kFeatures && name == StageRun::kHidden) return name;
  const auto found = values_.find(name);
  if (found == values_.end() || found->second != kind) {
    const char* kinds[] = {"scores", "rows", "features"};
    json.refuse(
        key, std::string("the name of ") + kinds[static_cast<int>(kind)] + " that an earlier step of this stage made");
  }
  return name;
}

std::string StepScope::define(const Json& json, Kind kind) {
  const std::string& name = json.required_string("to");
  if (name.empty() || name.size() > 64 || name == StageRun::kHidden)
    json.refuse("to", "a name of 1 to 64 characters, not hidden");
  values_[name] = kind;
  return name;
}

}  // namespace fovea
