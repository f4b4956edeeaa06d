#include "engine/sample.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>
#include <string>

#include "base/error.h"

namespace fovea {
namespace {

void check_range(const char* name, double got, bool is_valid, const char* expected) {
  if (is_valid) return;
  std::ostringstream message;
  message << "sampling option " << name << " is " << got << ", expected " << expected;
  throw Error(ErrorCode::kInvalidArgument, message.str());
}

void check_finite(std::span<const float> logits) {
  const auto broken = std::find_if(logits.begin(), logits.end(), [](float logit) { return !std::isfinite(logit); });
  if (broken == logits.end()) return;
  throw Error(ErrorCode::kNumeric, "the logit of token " + std::to_string(broken - logits.begin()) + " is " +
                                       std::to_string(*broken) +
                                       ", expected a finite number; the weights or the input may be damaged");
}

// log(sum(exp(logits)))
double log_sum_exp(std::span<const float> logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

// The n likeliest ids with their log-probabilities.
std::vector<TokenLogprob> likeliest_logprobs(std::span<const float> logits, double log_sum, int n) {
  const auto before = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  std::vector<TokenLogprob> top;  // a heap whose front is the least likely
  const size_t size = std::min(static_cast<size_t>(n), logits.size());
  if (size == 0) return top;
  for (size_t i = 0; i < logits.size(); ++i) {
    const TokenLogprob token{static_cast<int32_t>(i), logits[i]};
    if (top.size() == size) {
      if (!before(token, top.front())) continue;
      std::pop_heap(top.begin(), top.end(), before);
      top.pop_back();
    }
    top.push_back(token);
    std::push_heap(top.begin(), top.end(), before);
  }
  std::sort(top.begin(), top.end(), before);
  for (TokenLogprob& token : top) token.logprob = static_cast<float>(token.logprob - log_sum);
  return top;
}

}  // namespace

void validate(const SamplingParams& params) {
  check_range("temperature", params.temperature, params.temperature >= 0 && params.temperature <= 100, "0 to 100");
  check_range("topK", params.top_k, params.top_k >= 0, "0 (all) or more");
  check_range("topP", params.top_p, params.top_p > 0 && params.top_p <= 1, "more than 0, at most 1");
  check_range("minP", params.min_p, params.min_p >= 0 && params.min_p <= 1, "0 to 1");
  check_range("repetitionPenalty", params.repetition_penalty,
              params.repetition_penalty > 0 && params.repetition_penalty <= 100, "more than 0, at most 100");
  check_range("logprobs", params.logprobs, params.logprobs >= -1 && params.logprobs <= kMaxLogprobs, "-1 to 100");
}

double top_probability(std::span<const float> logits) {
  return std::exp(*std::max_element(logits.begin(), logits.end()) - log_sum_exp(logits));
}

Sampler::Sampler(const SamplingParams& params, int64_t vocab) : params_(params), random_(params.seed) {
  validate(params);
  if (vocab < 1 || vocab > INT32_MAX) throw Error(ErrorCode::kInternal, "vocabulary size out of range");
  seen_.resize(static_cast<size_t>(vocab));
}

void Sampler::observe(std::span<const int32_t> ids) {
  for (int32_t id : ids)
    if (id >= 0 && static_cast<size_t>(id) < seen_.size()) seen_[static_cast<size_t>(id)] = true;
}

SampledToken Sampler::sample(std::span<const float> logits) {
  if (logits.size() != seen_.size()) throw Error(ErrorCode::kInternal, "logits and vocabulary differ in size");
  check_finite(logits);
  SampledToken token;
  token.id = params_.temperature == 0 ? likeliest(logits) : draw(logits);
  observe({&token.id, 1});
  if (params_.logprobs >= 0) {
    const double log_sum = log_sum_exp(logits);
    token.logprob = static_cast<float>(logits[static_cast<size_t>(token.id)] - log_sum);
    token.top = likeliest_logprobs(logits, log_sum, params_.logprobs);
  }
  return token;
}

bool Sampler::before(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

double Sampler::score(std::span<const float> logits, size_t id) const {
  const double logit = logits[id];
  if (!seen_[id]) return logit;
  return logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
}

// Ties go to the lower id.
int32_t Sampler::likeliest(std::span<const float> logits) const {
  size_t best = 0;
  double best_score = score(logits, 0);
  for (size_t id = 1; id < logits.size(); ++id) {
    const double candidate = score(logits, id);
    if (candidate > best_score) {
      best = id;
      best_score = candidate;
    }
  }
  return static_cast<int32_t>(best);
}

// Relative to the likeliest candidate; subtracting first keeps tiny temperatures from overflowing.
double Sampler::weight(double score, double max_score) const {
  return std::exp((score - max_score) / params_.temperature);
}

int32_t Sampler::draw(std::span<const float> logits) {
  candidates_.clear();
  double max_score = score(logits, 0);
  for (size_t id = 0; id < logits.size(); ++id) {
    candidates_.push_back({static_cast<int32_t>(id), score(logits, id)});
    max_score = std::max(max_score, candidates_.back().score);
  }
  keep_top_k();
  keep_top_p(max_score);
  // A share of the likeliest one's probability is the same share of its weight, which is 1.
  if (params_.min_p > 0)
    std::erase_if(candidates_, [&](const Candidate& c) { return weight(c.score, max_score) < params_.min_p; });

  double mass = 0;
  for (const Candidate& candidate : candidates_) mass += weight(candidate.score, max_score);
  double rest = random_.uniform() * mass;
  for (const Candidate& candidate : candidates_) {
    rest -= weight(candidate.score, max_score);
    if (rest < 0) return candidate.id;
  }
  // Rounding can leave a crumb: it belongs to the likeliest, which no filter removes.
  return std::min_element(candidates_.begin(), candidates_.end(), before)->id;
}

// Candidates that tie with the k-th stay, as in transformers. The order of the candidates does not change, so that
// sums over them are the same on every standard library.
void Sampler::keep_top_k() {
  const size_t k = static_cast<size_t>(params_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  scores_.clear();
  for (const Candidate& candidate : candidates_) scores_.push_back(candidate.score);
  const auto kth = scores_.begin() + (params_.top_k - 1);
  std::nth_element(scores_.begin(), kth, scores_.end(), std::greater<>());
  std::erase_if(candidates_, [&](const Candidate& c) { return c.score < *kth; });
}

// Keeps a candidate if those likelier than it have less than the mass p. Takes them from a heap, so that only what is
// kept gets sorted.
void Sampler::keep_top_p(double max_score) {
  if (params_.top_p >= 1) return;
  double mass = 0;
  for (const Candidate& candidate : candidates_) mass += weight(candidate.score, max_score);
  const auto after = [](const Candidate& a, const Candidate& b) { return before(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), after);
  auto heap_end = candidates_.end();
  double kept = 0;
  do {
    std::pop_heap(candidates_.begin(), heap_end, after);
    --heap_end;
    kept += weight(heap_end->score, max_score);
  } while (heap_end != candidates_.begin() && kept < params_.top_p * mass);
  candidates_.erase(candidates_.begin(), heap_end);
}

}  // namespace fovea
