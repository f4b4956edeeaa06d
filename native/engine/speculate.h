// Self-speculative decoding: the model without some sub-layers guesses a few tokens, the whole model checks them all in
// one forward, and what it would have said itself is said. The text is that of ordinary decoding, bit for bit.
//
// Draft & Verify (Zhang et al. 2023, arXiv:2309.08168). Guesses see the whole model's cache and lay their own rows
// behind it; these are forgotten before the check, which computes every row anew.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/draft_search.h"
#include "engine/request.h"
#include "engine/sample.h"
#include "engine/session.h"
#include "model/model.h"
#include "ops/device_array.h"

namespace fovea {

// What the whole model says in place of a guess.
struct Verdict {
  int32_t token = -1;
  bool ended = false;  // the generation has ended with it
};

// Asks for one verdict after another for as long as they confirm the guesses; the last one asked for is new. Returns
// how many guesses were right.
int64_t count_right(std::span<const int32_t> guesses, const std::function<Verdict(int64_t row)>& verdict);

// When a guess is not sure enough to guess on. Follows the share of right guesses, as Draft & Verify does: it is raised
// below 90 % and lowered above, unless every guess that a check allows was made.
class StopThreshold {
 public:
  explicit StopThreshold(double value) : value_(value) {}
  double value() const { return value_; }
  void adapt(int64_t drafted, int64_t accepted, int64_t max);

 private:
  double value_;
  double match_ = 0;  // running share of right guesses
};

class Speculation {
 public:
  // plan.draft must be set; plan must outlive this.
  explicit Speculation(const LoweredPlan& plan);

  struct Round {
    int32_t pending;         // the last token; not in the cache yet
    const Sampler& sampler;  // chooses the guesses, in copy: at equal logits it guesses what will be said
    std::span<const int32_t> stop_ids;
    int64_t tokens_left;                 // to generate, at least 1
    const std::atomic<bool>& cancelled;  // looked at before every guess
  };
  // One draft and one check. accept takes the logits (vocab) of the next token.
  void round(Model& model, Session& session, const Round& round,
             const std::function<Verdict(std::span<const float> logits)>& accept);

  DraftReport report() const;

 private:
  void guess(Model& model, Session& session, const Round& round);

  const DraftPlan& plan_;
  const std::vector<SubLayers>& decode_;  // (n_layers)
  StopThreshold stop_;
  std::optional<DraftSearcher> searcher_;
  std::vector<int32_t> history_;  // every token generated, for the searcher
  std::vector<int32_t> ids_;      // of this round: the pending token and the guesses
  DeviceArray hidden_, logits_;
  std::vector<float> host_;  // (rows, vocab)
  DraftReport counts_;
};

}  // namespace fovea
