// A lowered plan: which primitives run at which hook and which sub-layers run at all. It comes as JSON from
// lib/prune/lower-plan.ts, which knows the methods; nothing here does. It is checked again: JSON comes from strangers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "prune/allocate.h"
#include "prune/gather.h"

namespace fovea {

enum class Phase { kPrefill, kDecode };

// Which sub-layers of a decoder layer run.
struct SubLayers {
  bool attention = true;
  bool ffn = true;
  bool operator==(const SubLayers&) const = default;
};

struct PlanStep {
  enum class Kind { kProbeLastRow, kSelectTopK, kSelectMaxMin, kSelectUniform, kSelectRandom };
  Kind kind;
  KeepBudget keep;    // of a select
  uint64_t seed = 0;  // of kSelectRandom
};

struct PlanStage {
  enum class Hook { kProjected, kDecoderLayer };
  std::string name;  // for the report
  Hook hook;
  int layer = -1;  // of kDecoderLayer
  std::vector<PlanStep> steps;
};

struct LoweredPlan {
  Positions positions = Positions::kCompact;
  std::vector<PlanStage> stages;
  std::vector<SubLayers> prefill;  // (n_layers)
  std::vector<SubLayers> decode;   // (n_layers)

  const std::vector<SubLayers>& sub_layers(Phase phase) const { return phase == Phase::kPrefill ? prefill : decode; }
};

// Parses a lowered plan for a decoder of n_layers; "" is the plan that changes nothing. Throws kPlan.
LoweredPlan parse_plan(const std::string& json, int n_layers);

}  // namespace fovea
