// Looks for the sub-layers that drafts can do without while a generation runs, as SWIFT does (Xia et al. 2024,
// arXiv:2410.06916), with random proposals alone: a set is scored by running the last tokens through it at once and
// counting how often its likeliest token is the one that was said.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "engine/session.h"
#include "model/model.h"
#include "ops/device_array.h"

namespace fovea {

class DraftSearcher {
 public:
  // decode, start (n_layers): what runs in ordinary decoding, and in drafts until something better is found.
  DraftSearcher(const DraftSearch& search, const std::vector<SubLayers>& decode, std::vector<SubLayers> start);

  // Scores one proposal against the best set so far, on the same tokens, and keeps the better one. history: the tokens
  // generated; the cache holds all but the last. Does nothing before there are enough of them and after the search.
  void step(Model& model, Session& session, std::span<const int32_t> history);

  const std::vector<SubLayers>& run() const { return best_; }  // (n_layers)
  int64_t proposals() const { return proposals_; }
  double score() const { return score_; }  // of the best set, when it was last scored; 0 before

 private:
  std::vector<SubLayers> propose();
  double score_of(Model& model, Session& session, std::span<const int32_t> history, const std::vector<SubLayers>& run);

  const DraftSearch& search_;
  const std::vector<SubLayers>& decode_;
  std::vector<SubLayers> best_;
  Random random_;
  double score_ = 0;
  int64_t proposals_ = 0;
  int64_t since_gain_ = 0;
  DeviceArray hidden_, logits_;
  std::vector<float> host_;
};

}  // namespace fovea
