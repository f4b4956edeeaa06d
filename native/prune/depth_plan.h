// The parts of a lowered plan that decide, token by token, how deep decoding goes: drafts and early exits.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/json.h"
#include "prune/sub_layers.h"

namespace fovea {

// Of a draft, before they are checked. A layer that convolves remembers no more rows that may be taken back.
constexpr int64_t kMaxGuesses = 64;

// Looks for a better set of sub-layers for drafts to skip, while it generates.
struct DraftSearch {
  double skip_ratio = 0;  // share of the sub-layers of all layers but the first and the last
  int64_t context = 0;    // generated tokens that a proposal is scored on
  double stop_score = 0;  // ends the search: share of these tokens that it guesses
  int64_t patience = 0;   // ends the search: proposals in a row that are no better
  int64_t proposals = 0;  // ends the search: proposals at all
  uint64_t seed = 0;
};

// Self-speculative decoding: the model without some sub-layers guesses tokens, the whole model checks them at once.
struct DraftPlan {
  std::vector<SubLayers> run;   // (n_layers) what of a layer runs for a guess, if it runs at all
  int64_t max = 0;              // guesses per check
  double stop_probability = 0;  // a guess less sure than this is the last one before a check
  bool adapt = false;           // move stop_probability by how many guesses were right
  std::optional<DraftSearch> search;
};

// Early exit: decoding ends with the first of these layers after which it is sure enough.
struct ExitPlan {
  std::vector<int> layers;  // ascending, without the last layer
  double q = 0;             // see EarlyExit
};

// Both throw kPlan. decode: what runs in ordinary decoding (n_layers).
DraftPlan parse_draft(const Json& json, const std::vector<SubLayers>& decode);
ExitPlan parse_exit(const Json& json, int n_layers);

}  // namespace fovea
