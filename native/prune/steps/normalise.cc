// {"do":"normalise","by":B,"score":NAME,…,"to":NAME}: scores of another scale or smoothness (normalise.h). B is
// "minMax" ("parts": each by itself), "mean", "softmax" ("temperature"), "power" ("exponent"), "exp" ("scale") or
// "smooth3x3"
// ("rows", "columns" of the picture).
#include "prune/normalise.h"

#include <functional>

#include "prune/steps/parse.h"
#include "prune/steps/parts.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct NormaliseStep final : Step {
  std::string score, to;
  std::function<Scores(const Scores&)> apply;

  void run(StageRun& run) const override {
    std::vector<Scores> normalised;
    for (const Scores& scores : run.scores.get(score)) normalised.push_back(apply(scores));
    run.scores.set(to, std::move(normalised));
  }
};

std::unique_ptr<const Step> make(const Json& json, StepScope& scope, std::function<Scores(const Scores&)> apply) {
  auto step = std::make_unique<NormaliseStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->apply = std::move(apply);
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_normalise_min_max(const Json& json, StepScope& scope) {
  return make(json, scope, [parts = parse_parts(json)](const Scores& scores) {
    Scores all;
    for (int64_t part = 0; part < parts; ++part) {
      const auto [begin, end] = part_of(static_cast<int64_t>(scores.size()), part, parts);
      const Scores own =
          min_max(std::span(scores).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
      all.insert(all.end(), own.begin(), own.end());
    }
    return all;
  });
}

std::unique_ptr<const Step> parse_normalise_mean(const Json& json, StepScope& scope) {
  return make(json, scope, [](const Scores& scores) { return by_mean(scores); });
}

std::unique_ptr<const Step> parse_normalise_softmax(const Json& json, StepScope& scope) {
  return make(json, scope, [temperature = positive_number(json, "temperature")](const Scores& scores) {
    return softmax(scores, temperature);
  });
}

std::unique_ptr<const Step> parse_normalise_power(const Json& json, StepScope& scope) {
  return make(json, scope,
              [exponent = positive_number(json, "exponent")](const Scores& scores) { return power(scores, exponent); });
}

std::unique_ptr<const Step> parse_normalise_exp(const Json& json, StepScope& scope) {
  return make(json, scope,
              [scale = positive_number(json, "scale")](const Scores& scores) { return exponential(scores, scale); });
}

std::unique_ptr<const Step> parse_normalise_smooth(const Json& json, StepScope& scope) {
  const int64_t rows = json.required_int("rows"), columns = json.required_int("columns");
  constexpr int64_t kMost = 1 << 15;
  if (rows < 1 || rows > kMost) json.refuse("rows", "an integer from 1 to 32768");
  if (columns < 1 || columns > kMost) json.refuse("columns", "an integer from 1 to 32768");
  return make(json, scope, [=](const Scores& scores) { return smooth_3x3(scores, rows, columns); });
}

}  // namespace fovea
