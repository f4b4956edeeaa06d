// One step of a stage: a primitive with its parameters. A stage is a list of them, read from a lowered plan.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/json.h"
#include "prune/cache_run.h"
#include "prune/stage_run.h"
#include "prune/tower_tap.h"

namespace fovea {

enum class Hook { kPixels, kVisionLayer, kVisionOut, kProjected, kDecoderLayer, kPrefilled, kDecodeStep };

// Whether stages at this hook act on the KV cache, and not on the stream of rows.
inline bool is_cache_hook(Hook hook) { return hook == Hook::kPrefilled || hook == Hook::kDecodeStep; }

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
};

// Layers of a model, for plans to be checked against.
struct PlanBounds {
  int n_layers = 0;        // of the decoder
  int n_tower_layers = 0;  // that run
};

// What a step may refer to, known while a stage is read: its hook, and the values that earlier steps define.
class StepScope {
 public:
  enum class Kind { kScores, kRows, kFeatures, kQuotas, kVectors };

  StepScope(Hook hook, const PlanBounds& bounds, PlanTaps& taps) : hook_(hook), bounds_(bounds), taps_(taps) {}

  Hook hook() const { return hook_; }
  const PlanBounds& bounds() const { return bounds_; }
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

 private:
  Hook hook_;
  PlanBounds bounds_;
  PlanTaps& taps_;
  std::map<std::string, Kind> values_;
};

using StepParser = std::unique_ptr<const Step> (*)(const Json& json, StepScope& scope);

// Reads a step by its "do" (and "by"). Throws kPlan. The table of all steps is in step_registry.cc.
std::unique_ptr<const Step> parse_step(const Json& json, StepScope& scope);

using CacheStepParser = std::unique_ptr<const CacheStep> (*)(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_cache_step(const Json& json, StepScope& scope);

}  // namespace fovea
