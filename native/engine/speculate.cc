#include "engine/speculate.h"

#include <algorithm>

#include "engine/steps.h"

namespace fovea {

int64_t count_right(std::span<const int32_t> guesses, const std::function<Verdict(int64_t row)>& verdict) {
  for (size_t i = 0;; ++i) {
    const Verdict said = verdict(static_cast<int64_t>(i));
    if (i == guesses.size() || said.token != guesses[i]) return static_cast<int64_t>(i);
    if (said.ended) return static_cast<int64_t>(i) + 1;
  }
}

void StopThreshold::adapt(int64_t drafted, int64_t accepted, int64_t max) {
  match_ = 0.5 * match_ + 0.5 * static_cast<double>(accepted) / static_cast<double>(drafted);
  double next = value_;
  if (match_ < 0.9) {
    next += 0.01;
  } else if (drafted < max) {
    next -= 0.01;
  }
  value_ = 0.9 * value_ + 0.1 * next;
}

Speculation::Speculation(const LoweredPlan& plan)
    : plan_(*plan.draft), decode_(plan.decode), stop_(plan.draft->stop_probability) {
  if (plan_.search) searcher_.emplace(*plan_.search, decode_, plan_.run);
}

void Speculation::guess(Model& model, Session& session, const Round& round) {
  const std::vector<SubLayers>& run = searcher_ ? searcher_->run() : plan_.run;
  const auto limit = static_cast<size_t>(std::min(plan_.max, round.tokens_left - 1));
  Sampler sampler = round.sampler;
  ids_ = {round.pending};
  while (ids_.size() <= limit && !round.cancelled.load(std::memory_order_relaxed)) {
    decode_rows(model, session, std::span(ids_).last(1), run, hidden_, logits_, host_);
    ids_.push_back(sampler.sample(host_).id);
    const bool is_stop = std::find(round.stop_ids.begin(), round.stop_ids.end(), ids_.back()) != round.stop_ids.end();
    if (is_stop || top_probability(host_) < stop_.value()) break;
  }
  session.roll_back(static_cast<int64_t>(ids_.size()) - 1, run);
}

void Speculation::round(Model& model, Session& session, const Round& round,
                        const std::function<Verdict(std::span<const float> logits)>& accept) {
  if (history_.empty()) history_.push_back(round.pending);
  if (searcher_) searcher_->step(model, session, history_);
  guess(model, session, round);
  if (round.cancelled.load(std::memory_order_relaxed)) return;
  decode_rows(model, session, ids_, decode_, hidden_, logits_, host_);
  const auto guesses = std::span(ids_).subspan(1);
  const auto drafted = static_cast<int64_t>(guesses.size());
  const size_t vocab = host_.size() / ids_.size();
  const int64_t accepted = count_right(guesses, [&](int64_t row) {
    const Verdict verdict = accept(std::span(host_).subspan(static_cast<size_t>(row) * vocab, vocab));
    history_.push_back(verdict.token);
    return verdict;
  });
  session.roll_back(drafted - accepted, decode_);
  ++counts_.verify_steps;
  counts_.drafted += drafted;
  counts_.accepted += accepted;
  if (plan_.adapt && drafted > 0) stop_.adapt(drafted, accepted, plan_.max);
}

DraftReport Speculation::report() const {
  DraftReport report = counts_;
  report.run = plan_.run;
  if (searcher_) {
    report.run = searcher_->run();
    report.proposals = searcher_->proposals();
    report.score = searcher_->score();
  }
  return report;
}

}  // namespace fovea
