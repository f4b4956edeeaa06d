// One generate request: from its prompt to its last token.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/timer.h"
#include "engine/early_exit.h"
#include "engine/image_cache.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/speculate.h"
#include "model/model.h"

namespace fovea {

class Generation {
 public:
  Generation(uint32_t id, GenerateRequest request, std::shared_ptr<const std::atomic<bool>> cancelled)
      : id_(id), request_(std::move(request)), cancelled_(std::move(cancelled)) {}

  // Checks the request, encodes its images, prefills and samples the first token. Afterwards it is finished() or has a
  // token pending. prefixes: of earlier requests. ask: the request's caller, for stages that do. Throws what the
  // request deserves.
  void start(Model& model, ImageCache& cache, PrefixCache& prefixes, Asker ask);
  // Of a finished one: leaves its keys and values to later prompts that begin like it, if it may and they are whole.
  void leave(Model& model, PrefixCache& prefixes);

  // Samples from the logits of this request's last row (vocab).
  void accept(std::span<const float> logits);

  // Whether it decodes by step_alone, because its plan drafts or exits early, instead of with the others.
  bool decodes_alone() const { return speculation_ || early_exit_; }
  // One round of drafting and checking, or one token that may exit early.
  void step_alone(Model& model);

  // The token to feed to the next decode step.
  int32_t pending() const { return last_; }
  bool finished() const { return !finish_reason_.empty(); }
  void finish(const std::string& reason) { finish_reason_ = reason; }
  bool cancelled() const { return cancelled_->load(std::memory_order_relaxed); }

  // Tokens sampled since the last call.
  TokensReport take_tokens() { return {std::exchange(fresh_, {}), request_.sampling.logprobs >= 0}; }
  EndReport report() const;

  uint32_t id() const { return id_; }
  Session& session() { return *session_; }
  void add_decode_ms(double ms) { timings_.decode += ms; }

 private:
  uint32_t id_;
  GenerateRequest request_;
  std::shared_ptr<const std::atomic<bool>> cancelled_;
  std::optional<Session> session_;
  std::optional<Sampler> sampler_;
  std::optional<Speculation> speculation_;
  std::optional<EarlyExit> early_exit_;
  Timer since_submit_;
  Timings timings_;
  std::vector<int32_t> kv_rows_;
  int64_t prompt_rows_ = 0;
  int64_t visual_rows_ = 0;
  int64_t cached_images_ = 0;
  int64_t token_limit_ = 0;
  int64_t generated_ = 0;
  int32_t last_ = -1;
  std::vector<SampledToken> fresh_;
  std::vector<int32_t> sampled_;  // all of them
  std::string finish_reason_;
};

}  // namespace fovea
