// Chooses the next token from the logits of one row. The same seed gives the same tokens on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace fovea {

constexpr int kMaxLogprobs = 100;

// Applied in the order of transformers: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingParams {
  float temperature = 0;         // 0: the likeliest token
  int top_k = 0;                 // keep the k likeliest; 0: all
  float top_p = 1;               // keep the likeliest that together reach this mass
  float min_p = 0;               // keep those with at least this share of the likeliest one's probability
  float repetition_penalty = 1;  // > 1 makes ids of the prompt and the reply less likely
  uint64_t seed = 0;
  int logprobs = -1;  // alternatives to report per token; -1: no logprobs at all
};

// Throws kInvalidArgument, naming the option, if one is out of range.
void validate(const SamplingParams& params);

struct TokenLogprob {
  int32_t id;
  float logprob;
};

struct SampledToken {
  int32_t id = -1;
  float logprob = 0;              // of the raw logits; only with logprobs >= 0
  std::vector<TokenLogprob> top;  // likeliest first, ties to the lower id
};

// The probability of the likeliest token, of the raw logits (vocab).
double top_probability(std::span<const float> logits);

class Sampler {
 public:
  // Validates the params. vocab: size of every row of logits.
  Sampler(const SamplingParams& params, int64_t vocab);

  // Adds ids to those that the repetition penalty knows; call it once with the prompt. Ids outside the vocabulary
  // are ignored.
  void observe(std::span<const int32_t> ids);

  // logits (vocab). Observes the chosen id. Throws kNumeric if a logit is NaN or infinite.
  SampledToken sample(std::span<const float> logits);

 private:
  struct Candidate {
    int32_t id;
    double score;  // logit after the repetition penalty
  };
  static bool before(const Candidate& a, const Candidate& b);

  double score(std::span<const float> logits, size_t id) const;
  int32_t likeliest(std::span<const float> logits) const;
  int32_t draw(std::span<const float> logits);
  void keep_top_k();
  void keep_top_p(double max_score);
  double weight(double score, double max_score) const;

  SamplingParams params_;
  Random random_;
  std::vector<bool> seen_;             // (vocab): the ids that were observed
  std::vector<Candidate> candidates_;  // scratch of one draw
  std::vector<double> scores_;         // scratch of keep_top_k
};

}  // namespace fovea
