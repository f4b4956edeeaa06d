#include "prune/plan.h"

#include <map>
#include <string_view>

#include "io/json.h"

namespace fovea {
namespace {

constexpr size_t kMaxStages = 256;
constexpr size_t kMaxSteps = 16;
constexpr size_t kMaxPlanBytes = size_t{1} << 20;

template <typename T>
T choice(const Json& json, std::string_view key, const std::map<std::string_view, T>& choices) {
  const auto found = choices.find(json.required_string(key));
  if (found != choices.end()) return found->second;
  std::string expected;
  for (const auto& [name, value] : choices) expected += (expected.empty() ? "" : " or ") + std::string(name);
  json.refuse(key, expected);
}

// A list whose items are all objects.
const Json::Array& objects(const Json& json, std::string_view key) {
  const Json::Array& items = json.required_array(key).array();
  for (const Json& item : items)
    if (!item.is_object()) json.refuse(key, "a list of objects");
  return items;
}

KeepBudget parse_budget(const Json& json) {
  KeepBudget budget;
  budget.of =
      choice<KeepBudget::Of>(json, "of", {{"stage", KeepBudget::Of::kStage}, {"decoder", KeepBudget::Of::kDecoder}});
  budget.rounding = choice<KeepBudget::Rounding>(
      json, "rounding", {{"trunc", KeepBudget::Rounding::kTrunc}, {"half-even", KeepBudget::Rounding::kHalfEven}});
  if (json.has("ratio") == json.has("count")) json.refuse("ratio", "exactly one of ratio and count");
  if (json.has("ratio")) {
    budget.ratio = json.required_number("ratio");
    if (!(budget.ratio > 0 && budget.ratio <= 1)) json.refuse("ratio", "a number above 0 and at most 1");
  } else {
    budget.count = json.required_int("count");
    if (budget.count < 1) json.refuse("count", "an integer of at least 1");
  }
  return budget;
}

PlanStep parse_step(const Json& json) {
  PlanStep step{};
  if (json.required_string("do") == "probe") {
    if (json.required_string("row") != "last") json.refuse("row", "last");
    step.kind = PlanStep::Kind::kProbeLastRow;
    return step;
  }
  if (json.required_string("do") != "select") json.refuse("do", "probe or select");
  step.kind = choice<PlanStep::Kind>(json, "by",
                                     {{"topK", PlanStep::Kind::kSelectTopK},
                                      {"maxMin", PlanStep::Kind::kSelectMaxMin},
                                      {"uniform", PlanStep::Kind::kSelectUniform},
                                      {"random", PlanStep::Kind::kSelectRandom}});
  step.keep = parse_budget(json.required_object("keep"));
  const int64_t seed = json.int_or("seed", 0);
  if (seed < 0) json.refuse("seed", "an integer of at least 0");
  step.seed = static_cast<uint64_t>(seed);
  return step;
}

PlanStage parse_stage(const Json& json, int n_layers) {
  PlanStage stage;
  stage.name = json.required_string("name");
  stage.hook = choice<PlanStage::Hook>(
      json, "hook", {{"projected", PlanStage::Hook::kProjected}, {"decoder-layer", PlanStage::Hook::kDecoderLayer}});
  if (stage.hook == PlanStage::Hook::kDecoderLayer) {
    const int64_t layer = json.required_int("layer");
    if (layer < 1 || layer >= n_layers)
      json.refuse("layer", "a decoder layer from 1 to " + std::to_string(n_layers - 1));
    stage.layer = static_cast<int>(layer);
  }
  bool probed = false;  // scores belong to the rows at hand only until the next select
  for (const Json& item : objects(json, "steps")) {
    const PlanStep step = parse_step(item);
    if (step.kind == PlanStep::Kind::kProbeLastRow && stage.hook == PlanStage::Hook::kProjected)
      json.refuse("hook", "decoder-layer for a stage that probes");
    if (step.kind == PlanStep::Kind::kSelectTopK && !probed) json.refuse("steps", "a probe before every topK");
    probed = step.kind == PlanStep::Kind::kProbeLastRow;
    stage.steps.push_back(step);
    if (stage.steps.size() > kMaxSteps) json.refuse("steps", "at most " + std::to_string(kMaxSteps) + " steps");
  }
  return stage;
}

void parse_skip(const Json& json, int n_layers, LoweredPlan& plan) {
  const int64_t layer = json.required_int("layer");
  if (layer < 0 || layer >= n_layers) json.refuse("layer", "a decoder layer from 0 to " + std::to_string(n_layers - 1));
  const bool attention = choice<bool>(json, "part", {{"attention", true}, {"ffn", false}});
  const auto phases = choice<int>(json, "phase", {{"prefill", 1}, {"decode", 2}, {"both", 3}});
  if (attention && phases == 1)
    json.refuse("phase", "both or decode: decode would read keys that a prefill without attention never wrote");
  const auto part = attention ? &SubLayers::attention : &SubLayers::ffn;
  if ((phases & 1) != 0) plan.prefill[static_cast<size_t>(layer)].*part = false;
  if ((phases & 2) != 0) plan.decode[static_cast<size_t>(layer)].*part = false;
}

}  // namespace

LoweredPlan parse_plan(const std::string& text, int n_layers) {
  LoweredPlan plan;
  plan.prefill.resize(static_cast<size_t>(n_layers));
  plan.decode.resize(static_cast<size_t>(n_layers));
  if (text.empty()) return plan;
  if (text.size() > kMaxPlanBytes) throw Error(ErrorCode::kPlan, "the plan is larger than a megabyte");
  const Json json = parse_json(text, "plan", ErrorCode::kPlan);
  if (!json.is_object()) throw Error(ErrorCode::kPlan, "the plan is " + json.shown() + ", expected an object");
  plan.positions =
      choice<Positions>(json, "positions", {{"compact", Positions::kCompact}, {"original", Positions::kOriginal}});
  for (const Json& item : objects(json, "stages")) {
    if (plan.stages.size() == kMaxStages) json.refuse("stages", "at most " + std::to_string(kMaxStages) + " stages");
    plan.stages.push_back(parse_stage(item, n_layers));
  }
  for (const Json& item : objects(json, "skip")) parse_skip(item, n_layers, plan);
  return plan;
}

}  // namespace fovea
