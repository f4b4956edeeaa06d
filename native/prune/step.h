// One step of a stage: a primitive with its parameters. A stage is a list of them, read from a lowered plan.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "io/json.h"
#include "prune/stage_run.h"
#include "prune/tower_tap.h"

namespace fovea {

enum class Hook { kPixels, kVisionLayer, kProjected, kDecoderLayer };

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(StageRun& run) const = 0;
};

// What a step may refer to, known while a stage is read: its hook, and the values that earlier steps define.
class StepScope {
 public:
  enum class Kind { kScores, kRows, kFeatures };

  StepScope(Hook hook, std::set<TowerTap>& taps) : hook_(hook), taps_(taps) {}

  Hook hook() const { return hook_; }
  // The name of a value that this step reads from json.key; refuses one that no earlier step made.
  std::string use(const Json& json, const char* key, Kind kind) const;
  // The name under json.to of the value that this step makes.
  std::string define(const Json& json, Kind kind);
  // Rows will be gathered: values made so far are gone.
  void forget() { values_.clear(); }
  // This stage reads a tap.
  void want(const TowerTap& tap) { taps_.insert(tap); }

 private:
  Hook hook_;
  std::set<TowerTap>& taps_;
  std::map<std::string, Kind> values_;
};

using StepParser = std::unique_ptr<const Step> (*)(const Json& json, StepScope& scope);

// Reads a step by its "do" (and "by"). Throws kPlan. The table of all steps is in step_registry.cc.
std::unique_ptr<const Step> parse_step(const Json& json, StepScope& scope);

}  // namespace fovea
