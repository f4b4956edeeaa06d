// {"do":"score","by":"distance","a":FEATURES,"b":FEATURES,"to":NAME}: how far apart two vectors of each row are,
// |a - b|_2.
#include <cmath>

#include "ops/host_copy.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct DistanceStep final : Step {
  std::string a, b, to;

  void run(StageRun& run) const override {
    const std::vector<Features> left = run.features_of(a), right = run.features_of(b);
    std::vector<Scores> scores;
    for (size_t s = 0; s < left.size(); ++s) {
      const int64_t n = left[s].view.rows(), d = left[s].view.row_elements();
      if (right[s].view.row_elements() != d)
        throw Error(ErrorCode::kPlan, "the plan compares " + a + " with " + b + ", which is not as wide");
      const std::vector<float> x = host_copy(run.ops, left[s].view), y = host_copy(run.ops, right[s].view);
      Scores& distances = scores.emplace_back();
      for (int64_t row = 0; row < n; ++row) {
        double sum = 0;
        for (int64_t i = row * d; i < (row + 1) * d; ++i) {
          const double difference = double{x[static_cast<size_t>(i)]} - y[static_cast<size_t>(i)];
          sum += difference * difference;
        }
        distances.push_back(static_cast<float>(std::sqrt(sum)));
      }
    }
    run.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_score_distance(const Json& json, StepScope& scope) {
  auto step = std::make_unique<DistanceStep>();
  step->a = scope.use(json, "a", StepScope::Kind::kFeatures);
  step->b = scope.use(json, "b", StepScope::Kind::kFeatures);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
