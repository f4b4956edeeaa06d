// One step of a stage: a primitive with its parameters. A stage is a list of them, read from a lowered plan.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/json.h"
#include "prune/cache_run.h"
#include "prune/plan_files.h"
#include "prune/stage_run.h"
#include "prune/tower_tap.h"

namespace fovea {

enum class Hook { kPixels, kVisionLayer, kVisionOut, kProjected, kDecoderLayer, kPrefilled, kDecodeStep };

// Whether stages at this hook act on the KV cache, and not on the stream of rows.
inline bool is_cache_hook(Hook hook) { return hook == Hook::kPrefilled || hook == Hook::kDecodeStep; }

// What a plan is checked against.
struct PlanBounds {
  int n_layers = 0;        // of the decoder
  int n_tower_layers = 0;  // that run
  int64_t d_model = 0;
  PlanFiles* files = nullptr;  // where files that the plan names are opened
  // (n_layers) 1: the decoder layer convolves and has no attention, and no keys and values; or empty: all attend.
  std::span<const uint8_t> convolves{};
};

// Decoder layers whose input rows stages at deeper layers read, each with the deepest of these.
using LayerInputs = std::map<int, int>;

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(StageRun& run) const = 0;
};

// The same on the KV cache.
class CacheStep {
 public:
  virtual ~CacheStep() = default;
  virtual void run(CacheRun& run) const = 0;
};

// What a plan's stages want to know of the model's inside.
struct PlanTaps {
  std::set<TowerTap> tower;                  // layers as in TowerTap
  std::map<Hook, std::set<CacheTap>> cache;  // by the hook on the KV cache that reads them
  LayerInputs inputs;
};

// What a step may refer to, known while a stage is read: its hook, and the values that earlier steps define.
class StepScope {
 public:
  enum class Kind { kScores, kRows, kFeatures, kQuotas, kVectors, kQueries };

  StepScope(Hook hook, const PlanBounds& bounds, PlanTaps& taps, int layer = -1, bool over_text = false)
      : hook_(hook), bounds_(bounds), taps_(taps), layer_(layer), over_text_(over_text) {}

  Hook hook() const { return hook_; }
  const PlanBounds& bounds() const { return bounds_; }
  int layer() const { return layer_; }           // of the stage; -1 where its hook has none
  bool over_text() const { return over_text_; }  // the spans are stretches of text
  int64_t d_model() const { return bounds_.d_model; }
  // The safetensors file under json.file.
  std::shared_ptr<PlanFile> file(const Json& json) const;
  // The next stage is at this hook and may use the values made so far.
  void enter(Hook hook) { hook_ = hook; }
  // The name of a value that this step reads from json.key; refuses one that no earlier step made.
  std::string use(const Json& json, const char* key, Kind kind) const;
  // The same for a list of names, 1 to 16 of them.
  std::vector<std::string> use_all(const Json& json, const char* key, Kind kind) const;
  // Refuses a name, read from json.key, that no earlier step gave to a value of this kind.
  void require(const std::string& name, const Json& json, const char* key, Kind kind) const;
  // The name under json.to of the value that this step makes.
  std::string define(const Json& json, Kind kind);
  // Rows will be gathered: values made so far are gone.
  void forget() { values_.clear(); }
  // Cached rows will be compacted: choices among them are gone.
  void forget(Kind kind) {
    std::erase_if(values_, [&](const auto& value) { return value.second == kind; });
  }
  // This stage reads a tap.
  void want(const TowerTap& tap) { taps_.tower.insert(tap); }
  void want(const CacheTap& tap) { taps_.cache[hook_].insert(tap); }
  // The decoder layer under json.layer whose input this step reads: this stage's or one before it; this stage's if
  // json does not say. Refuses hooks outside the decoder.
  int layer_input(const Json& json);
  // This step asks for the attention of a decoder layer, or for its queries or keys.
  void ask(int layer) { asked_.insert(layer); }
  const std::set<int>& asked() const { return asked_; }

 private:
  Hook hook_;
  PlanBounds bounds_;
  PlanTaps& taps_;
  int layer_;
  bool over_text_;
  std::map<std::string, Kind> values_;
  std::set<int> asked_;
};

using StepParser = std::unique_ptr<const Step> (*)(const Json& json, StepScope& scope);

// Reads a step by its "do" (and "by"). Throws kPlan. The table of all steps is in step_registry.cc.
std::unique_ptr<const Step> parse_step(const Json& json, StepScope& scope);

using CacheStepParser = std::unique_ptr<const CacheStep> (*)(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_cache_step(const Json& json, StepScope& scope);

}  // namespace fovea
