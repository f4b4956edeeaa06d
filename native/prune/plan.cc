#include "prune/plan.h"

#include <algorithm>

#include "io/json.h"
#include "prune/steps/parse.h"

namespace fovea {
namespace {

constexpr size_t kMaxStages = 256;
constexpr size_t kMaxSteps = 64;
constexpr size_t kMaxPlanBytes = size_t{1} << 20;

// A list whose items are all objects.
const Json::Array& objects(const Json& json, std::string_view key) {
  const Json::Array& items = json.required_array(key).array();
  for (const Json& item : items)
    if (!item.is_object()) json.refuse(key, "a list of objects");
  return items;
}

const std::map<std::string_view, Positions> kPositions{{"compact", Positions::kCompact},
                                                       {"original", Positions::kOriginal}};

// Refuses a stage that asks a decoder layer without attention what it attends to.
void refuse_convolutions(const PlanStage& stage, const StepScope& scope, std::span<const uint8_t> convolves) {
  const auto convolves_at = [&](int layer) { return !convolves.empty() && convolves[static_cast<size_t>(layer)] != 0; };
  for (int asked : scope.asked()) {
    if (!convolves_at(asked)) continue;
    std::string attending;
    for (int layer = 0; layer < std::ssize(convolves); ++layer)
      if (!convolves_at(layer)) attending += (attending.empty() ? "" : ", ") + std::to_string(layer);
    throw Error(ErrorCode::kPlan, "stage " + stage.name + " at decoder layer " + std::to_string(stage.layer) +
                                      " asks for the attention of layer " + std::to_string(asked) +
                                      ", which has none: it convolves. Choose the stage's layer so that it asks one " +
                                      "that attends: " + (attending.empty() ? "this model has none" : attending));
  }
}

// cache_scope: of all stages on the KV cache, which share their values.
PlanStage parse_stage(const Json& json, const PlanBounds& bounds, LoweredPlan& plan, StepScope& cache_scope) {
  PlanStage stage;
  stage.name = json.required_string("name");
  stage.positions = choice_or<Positions>(json, "positions", plan.positions, kPositions);
  stage.hook = choice<Hook>(json, "hook",
                            {{"pixels", Hook::kPixels},
                             {"vision-layer", Hook::kVisionLayer},
                             {"vision-out", Hook::kVisionOut},
                             {"projected", Hook::kProjected},
                             {"decoder-layer", Hook::kDecoderLayer},
                             {"prefilled", Hook::kPrefilled},
                             {"decode-step", Hook::kDecodeStep}});
  const bool decoder = stage.hook == Hook::kDecoderLayer;
  if (decoder || stage.hook == Hook::kVisionLayer) {
    const int first = decoder ? 1 : 0, end = decoder ? bounds.n_layers : bounds.n_tower_layers;
    const int64_t layer = json.required_int("layer");
    if (layer < first || layer >= end)
      json.refuse("layer", std::string("a layer of the ") + (decoder ? "decoder" : "vision tower") + " from " +
                               std::to_string(first) + " to " + std::to_string(end - 1));
    stage.layer = static_cast<int>(layer);
  }
  stage.over_text = choice_or<bool>(json, "over", false, {{"images", false}, {"text", true}});
  if (stage.over_text && !decoder) json.refuse("over", "images; text has rows of its own inside the decoder only");
  if (stage.hook == Hook::kPrefilled && cache_scope.hook() == Hook::kDecodeStep)
    json.refuse("hook", "stages at prefilled before those at decode-step");
  StepScope scope(stage.hook, bounds, plan.taps, stage.layer, stage.over_text);
  if (is_cache_hook(stage.hook)) cache_scope.enter(stage.hook);
  for (const Json& item : objects(json, "steps")) {
    if (stage.steps.size() + stage.cache_steps.size() == kMaxSteps)
      json.refuse("steps", "at most " + std::to_string(kMaxSteps) + " steps");
    if (is_cache_hook(stage.hook)) {
      stage.cache_steps.push_back(parse_cache_step(item, cache_scope));
    } else {
      stage.steps.push_back(parse_step(item, scope));
    }
  }
  if (decoder) refuse_convolutions(stage, scope, bounds.convolves);
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

LoweredPlan parse_plan(const std::string& text, const PlanBounds& bounds) {
  const int n_layers = bounds.n_layers;
  LoweredPlan plan;
  plan.prefill.resize(static_cast<size_t>(n_layers));
  plan.decode.resize(static_cast<size_t>(n_layers));
  if (text.empty()) return plan;
  if (text.size() > kMaxPlanBytes) throw Error(ErrorCode::kPlan, "the plan is larger than a megabyte");
  const Json json = parse_json(text, "plan", ErrorCode::kPlan);
  if (!json.is_object()) throw Error(ErrorCode::kPlan, "the plan is " + json.shown() + ", expected an object");
  plan.positions = choice<Positions>(json, "positions", kPositions);
  StepScope cache_scope(Hook::kPrefilled, bounds, plan.taps);
  for (const Json& item : objects(json, "stages")) {
    if (plan.stages.size() == kMaxStages) json.refuse("stages", "at most " + std::to_string(kMaxStages) + " stages");
    plan.stages.push_back(parse_stage(item, bounds, plan, cache_scope));
  }
  for (const Json& item : objects(json, "skip")) parse_skip(item, n_layers, plan);
  if (json.has("draft")) plan.draft = parse_draft(json.required_object("draft"), plan.decode);
  if (json.has("exit")) plan.exit = parse_exit(json.required_object("exit"), n_layers);
  if (plan.draft && std::any_of(plan.stages.begin(), plan.stages.end(),
                                [](const PlanStage& stage) { return stage.hook == Hook::kDecodeStep; }))
    json.refuse("draft", "no draft beside stages at decode-step: a cache cannot take back rows that it dropped");
  if (plan.draft && plan.draft->search && !bounds.convolves.empty() && plan.draft->search->context > kMaxGuesses)
    throw Error(ErrorCode::kPlan, "draft.search.context is " + std::to_string(plan.draft->search->context) +
                                      "; some layers of this model convolve, and of these at most " +
                                      std::to_string(kMaxGuesses) + " rows can be taken back to try a proposal");
  if (plan.draft && plan.exit) json.refuse("exit", "either draft or exit: guesses are checked by the whole decoder");
  return plan;
}

}  // namespace fovea
