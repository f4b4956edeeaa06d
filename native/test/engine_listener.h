// An engine on a tiny checkpoint whose every word is written down, and requests for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "test/check.h"
#include "test/variants.h"

namespace fovea::test {

// An engine and everything it said.
class Listener {
 public:
  using Reaction = std::function<void(Engine&, const Event&)>;  // on the engine's thread

  explicit Listener(Reaction reaction = {}) : reaction_(std::move(reaction)) {
    engine_.emplace(load_variant("f32-untied-gqa4", "auto", 1), CacheBytes{size_t{1} << 20, size_t{1} << 20},
                    [this](Event event) { hear(std::move(event)); });
  }

  Engine& engine() { return *engine_; }

  // Waits until so many requests have ended.
  bool wait_for(size_t n_ended) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return ended_ >= n_ended; });
  }

  struct Said {
    std::vector<int32_t> tokens;
    int ends = 0;       // terminal events
    int after_end = 0;  // events after the first terminal one
    std::string finish_reason;
    std::optional<ErrorCode> error;
    EndReport end;
    ForwardReport forward;
  };
  Said said(uint32_t id) {
    const std::lock_guard lock(mutex_);
    return said_[id];
  }

 private:
  void hear(Event event) {
    if (reaction_) reaction_(*engine_, event);
    const std::lock_guard lock(mutex_);
    Said& said = said_[event.request];
    said.after_end += said.ends > 0;
    if (auto* tokens = std::get_if<TokensReport>(&event.body)) {
      for (const SampledToken& token : tokens->tokens) said.tokens.push_back(token.id);
      return;
    }
    if (auto* end = std::get_if<EndReport>(&event.body)) {
      said.finish_reason = end->finish_reason;
      said.end = std::move(*end);
    } else if (auto* forward = std::get_if<ForwardReport>(&event.body)) {
      said.finish_reason = "forward";
      said.forward = std::move(*forward);
    } else {
      said.error = std::get<ErrorReport>(event.body).code;
    }
    ++said.ends;
    ++ended_;
    changed_.notify_all();
  }

  Reaction reaction_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, Said> said_;
  size_t ended_ = 0;
  std::optional<Engine> engine_;  // destroyed first: it speaks until then
};

inline bool ended_once(const Listener::Said& said) { return said.ends == 1 && said.after_end == 0; }

inline GenerateRequest text_request(uint64_t seed, int64_t max_tokens) {
  GenerateRequest request;
  Random random(seed);
  for (uint64_t i = 0; i < 3 + seed % 9; ++i) request.input_ids.push_back(static_cast<int32_t>(4 + random.next() % 60));
  request.max_tokens = max_tokens;
  return request;
}

// Text, one image, text; the tiny model makes four rows of it and holds 256 rows.
inline GenerateRequest image_request(uint64_t seed, int64_t max_tokens) {
  GenerateRequest request = text_request(seed, max_tokens);
  request.input_ids.insert(request.input_ids.begin() + 2, 4, 3);
  request.images = {random_image(28, seed + 1)};
  return request;
}

inline const char* const kDropHalf =
    R"({"positions":"compact","stages":[{"name":"half","hook":"projected","steps":[{"do":"select","by":"maxMin",
      "features":"hidden","to":"k","keep":{"ratio":0.75,"of":"stage","rounding":"trunc"}},{"do":"gather","rows":"k"}]},{"name":"pyramid","hook":"decoder-layer","layer":1,
      "steps":[{"do":"probe","queries":"last","to":"a"},{"do":"select","by":"topK","score":"a","to":"k",
      "keep":{"ratio":0.5,"of":"decoder","rounding":"trunc"}},{"do":"gather","rows":"k"}]}],"skip":[]})";
inline const char* const kSkipFfn =
    R"({"positions":"compact","stages":[],"skip":[{"layer":1,"part":"ffn","phase":"both"}]})";

// The kinds of request that one busy engine serves side by side.
inline GenerateRequest mixed_request(uint64_t seed, int64_t max_tokens) {
  GenerateRequest request = seed % 3 == 0 ? text_request(seed, max_tokens) : image_request(seed, max_tokens);
  if (seed % 4 == 1) request.plan = kDropHalf;
  if (seed % 5 == 2) request.plan = kSkipFfn;
  if (seed % 7 == 3) request.sampling = {.temperature = 0.9F, .top_k = 20, .seed = seed};
  return request;
}

inline ForwardRequest forward_request(uint64_t seed) {
  GenerateRequest from = image_request(seed, 1);
  ForwardRequest request;
  request.batch = 1;
  request.input_ids = from.input_ids;
  request.images = from.images;
  request.attention_mask.assign(request.input_ids.size(), 1);
  return request;
}

}  // namespace fovea::test
