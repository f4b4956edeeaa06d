// {"do":"features","by":"center","features":F,"to":NAME}: features without what all rows of the image share, their
// mean.
#include "ops/host_copy.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct CenterStep final : Step {
  std::string features, to;

  void run(StageRun& run) const override {
    std::vector<Features> centered;
    for (const Features& of_span : run.features_of(features)) {
      const Tensor& x = of_span.view;
      std::vector<float> values = host_copy(run.ops, x);
      const auto d = static_cast<size_t>(x.row_elements());
      for (size_t c = 0; c < d; ++c) {
        double sum = 0;
        for (size_t i = c; i < values.size(); i += d) sum += values[i];
        const double mean = sum / static_cast<double>(x.rows());
        for (size_t i = c; i < values.size(); i += d) values[i] = static_cast<float>(values[i] - mean);
      }
      centered.push_back(make_features(run.ops, x.rows(), x.row_elements(), values));
    }
    run.features.set(to, std::move(centered));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_features_center(const Json& json, StepScope& scope) {
  auto step = std::make_unique<CenterStep>();
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->to = scope.define(json, StepScope::Kind::kFeatures);
  return step;
}

}  // namespace fovea
