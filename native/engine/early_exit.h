// Early exit by confidence: a token stops at the first layer after which decoding is sure enough of the next one.
//
// The rule is the Q-exit of PALBERT (Balagansky and Gavrilov 2022, arXiv:2204.03276) without its trained heads: the
// probability lambda_i of leaving at candidate layer i is the highest probability of the logit lens there (final norm
// and head on the stream as it leaves layer i). A token leaves at the first candidate where the probability of having
// left, 1 - prod_{j <= i} (1 - lambda_j), exceeds q, and otherwise runs through every layer. So q = 1 never leaves
// early and q = 0 leaves at the first candidate.
//
// Later tokens attend to a token that left early in the layers above as well: these take its keys and values from the
// stream as it left.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/session.h"
#include "model/model.h"
#include "ops/device_array.h"

namespace fovea {

class EarlyExit {
 public:
  // plan.exit must be set; plan must outlive this.
  explicit EarlyExit(const LoweredPlan& plan);

  // Appends a token to the session. Returns the logits (vocab) of the next one, valid until the next call.
  std::span<const float> step(Model& model, Session& session, int32_t token);

  const ExitReport& report() const { return report_; }

 private:
  const ExitPlan& plan_;
  ExitReport report_;
  DeviceArray hidden_, lens_, logits_;
  std::vector<float> host_;  // (vocab)
};

}  // namespace fovea
