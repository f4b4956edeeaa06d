// {"do":"score","by":"linear","file":F,"weight":W,"bias":B,"gain":G,"offset":O,"to":NAME}: what a learned router says
// of each row x: G tanh(w x + b) + O, with w (d_model numbers) and b (one) of the safetensors file F.
#include <cmath>

#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct LinearStep final : Step {
  std::vector<float> weight;  // (d_model)
  float bias;
  double gain, offset;
  std::string to;

  void run(StageRun& run) const override {
    std::vector<Scores> scores;
    for (const Span& span : run.spans()) {
      std::vector<float> rows(static_cast<size_t>(span.count) * weight.size());
      if (!rows.empty()) run.ops.copy_to_host(run.hidden(span), rows.data());
      Scores& score = scores.emplace_back();
      for (auto row = rows.begin(); row != rows.end(); row += static_cast<int64_t>(weight.size())) {
        double logit = bias;
        for (size_t c = 0; c < weight.size(); ++c) logit += double{row[static_cast<int64_t>(c)]} * weight[c];
        score.push_back(static_cast<float>(gain * std::tanh(logit) + offset));
      }
    }
    run.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_score_linear(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kDecoderLayer) json.refuse("do", "a step that needs no decoder rows at this hook");
  auto step = std::make_unique<LinearStep>();
  const auto file = scope.file(json);
  step->weight = file->numbers(json.required_string("weight"), scope.d_model());
  step->bias = file->numbers(json.required_string("bias"), 1).front();
  step->gain = json.required_number("gain");
  step->offset = json.required_number("offset");
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
