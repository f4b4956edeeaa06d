// {"do":"pool","score":NAME,"kernel":K,"last":N,"to":NAME}: a moving average over K rows, an odd number, of all scores
// but those of the last N rows, which stay as they are and are not looked at. Beyond the ends are zeros.
#include <algorithm>

#include "prune/cache_steps/cache_steps.h"
#include "prune/cache_steps/parse.h"

namespace fovea {
namespace {

Scores average(const Scores& scores, int64_t kernel, int64_t last) {
  Scores out = scores;
  const int64_t n = std::max<int64_t>(0, static_cast<int64_t>(scores.size()) - last), reach = kernel / 2;
  for (int64_t row = 0; row < n; ++row) {
    float sum = 0;
    for (int64_t i = std::max<int64_t>(0, row - reach); i <= std::min(n - 1, row + reach); ++i)
      sum += scores[static_cast<size_t>(i)];
    out[static_cast<size_t>(row)] = sum / static_cast<float>(kernel);
  }
  return out;
}

struct PoolStep final : CacheStep {
  std::string score, to;
  int64_t kernel, last;

  void run(CacheRun& run) const override {
    std::vector<Scores> pooled;
    for (const Scores& scores : run.state.scores.get(score)) pooled.push_back(average(scores, kernel, last));
    run.state.scores.set(to, std::move(pooled));
  }
};

}  // namespace

std::unique_ptr<const CacheStep> parse_pool(const Json& json, StepScope& scope) {
  constexpr int64_t kMaxKernel = 255;
  auto step = std::make_unique<PoolStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->kernel = json.required_int("kernel");
  if (step->kernel < 1 || step->kernel > kMaxKernel || step->kernel % 2 == 0)
    json.refuse("kernel", "an odd integer from 1 to " + std::to_string(kMaxKernel));
  step->last = parse_count(json, "last", 0, 0);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
