// A lowered plan: which primitives run at which hook and which sub-layers run at all. It comes as JSON from
// lib/prune/lower-plan.ts, which knows the methods; nothing here does. It is checked again: JSON comes from strangers.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "prune/depth_plan.h"
#include "prune/gather.h"
#include "prune/step.h"

namespace fovea {

enum class Phase { kPrefill, kDecode };

struct PlanStage {
  std::string name;  // for the report
  Hook hook;
  int layer = -1;  // of kVisionLayer (from 0) and kDecoderLayer (from 1)
  Positions positions = Positions::kCompact;
  bool over_text = false;  // chooses among rows of text, not of images
  std::vector<std::shared_ptr<const Step>> steps;
  std::vector<std::shared_ptr<const CacheStep>> cache_steps;  // instead, at hooks on the KV cache
};

struct LoweredPlan {
  Positions positions = Positions::kCompact;  // of rows that the tower dropped, and of stages that say nothing else
  std::vector<PlanStage> stages;              // in the order of the forward pass
  PlanTaps taps;
  std::vector<SubLayers> prefill;  // (n_layers)
  std::vector<SubLayers> decode;   // (n_layers)
  std::optional<DraftPlan> draft;  // never together with exit
  std::optional<ExitPlan> exit;

  const std::vector<SubLayers>& sub_layers(Phase phase) const { return phase == Phase::kPrefill ? prefill : decode; }
};

// Parses a lowered plan; "" is the plan that changes nothing. Throws kPlan.
LoweredPlan parse_plan(const std::string& json, const PlanBounds& bounds);

}  // namespace fovea
