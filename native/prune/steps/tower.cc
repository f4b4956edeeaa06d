// What stages inside the vision tower can know, and the keys of a decoder layer too.
//   {"do":"probe","by":"class","to":NAME} at vision-layer: what the class row attends to here, mean over heads.
//   {"do":"features","by":"keys","to":NAME} at vision-layer and decoder-layer: the layer's keys before they are
//   rotated,
//     mean over heads.
//   {"do":"score","by":"pageRank","iterations":I,"least":L,"most":M,"to":NAME} at vision-layer: page rank of the
//   layer's
//     attention per head, heads joined as prune/page_rank.h says.
//   {"do":"select","by":"unforeseen","tau":T,"distance":"max"|"mean"|"rms","to":NAME} at pixels: patches that their
//     neighbours do not foretell (prune/predict.h).
#include "prune/page_rank.h"
#include "prune/predict.h"
#include "prune/query_rows.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct ClassProbeStep final : Step {
  std::string to;
  void run(StageRun& run) const override {
    std::vector<Scores> scores;
    for (const Span& span : run.spans()) {
      if (span.begin == 0)
        throw Error(ErrorCode::kPlan,
                    "the plan asks what the class row attends to; this vision tower has no class row");
      const int32_t class_row = 0;
      const std::vector<float> mass =
          run.source.attend({&class_row, 1}, rows_between(0, run.sequence().count), true).mean_over_heads();
      scores.emplace_back(mass.begin() + span.begin, mass.begin() + span.begin + span.count);
    }
    run.scores.set(to, std::move(scores));
  }
};

struct KeysStep final : Step {
  std::string to;
  void run(StageRun& run) const override {
    std::vector<Features> features;
    for (const Span& span : run.spans()) {
      const TapValue keys = run.source.keys(rows_between(span.begin, span.begin + span.count));
      features.push_back(make_features(run.ops, span.count, keys.width, keys.numbers));
    }
    run.features.set(to, std::move(features));
  }
};

struct PageRankStep final : Step {
  int iterations = 1;
  double least = 0, most = 0;
  std::string to;
  void run(StageRun& run) const override {
    const int64_t n = run.sequence().count;
    const std::vector<std::vector<float>> attention = run.source.attention_of_all();
    std::vector<float> ranks;  // (n_heads, n)
    for (const std::vector<float>& head : attention) {
      const std::vector<float> rank = page_rank(head, n, iterations);
      ranks.insert(ranks.end(), rank.begin(), rank.end());
    }
    const std::vector<float> joined = combine_heads(ranks, std::ssize(attention), least, most);
    std::vector<Scores> scores;
    for (const Span& span : run.spans())
      scores.emplace_back(joined.begin() + span.begin, joined.begin() + span.begin + span.count);
    run.scores.set(to, std::move(scores));
  }
};

struct UnforeseenStep final : Step {
  double tau = 0;
  BlockDistance distance;
  std::string to;
  void run(StageRun& run) const override {
    std::vector<RowSet> rows;
    for (const Span& span : run.spans()) {
      const TapValue patches = run.source.patches(span.image);
      rows.push_back(
          select_unforeseen(patches.numbers, patches.width, run.source.raster(span.image).columns, tau, distance));
    }
    run.rows.set(to, std::move(rows));
  }
};

void require_hook(const Json& json, const StepScope& scope, Hook hook, const char* name) {
  if (scope.hook() != hook) json.refuse("do", std::string("another step at this hook: this one runs at ") + name);
}

}  // namespace

std::unique_ptr<const Step> parse_probe_class(const Json& json, StepScope& scope) {
  require_hook(json, scope, Hook::kVisionLayer, "vision-layer");
  auto step = std::make_unique<ClassProbeStep>();
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

std::unique_ptr<const Step> parse_features_keys(const Json& json, StepScope& scope) {
  if (scope.hook() == Hook::kDecoderLayer) {
    scope.ask(scope.layer());
  } else {
    require_hook(json, scope, Hook::kVisionLayer, "vision-layer or decoder-layer");
  }
  auto step = std::make_unique<KeysStep>();
  step->to = scope.define(json, StepScope::Kind::kFeatures);
  return step;
}

std::unique_ptr<const Step> parse_score_page_rank(const Json& json, StepScope& scope) {
  require_hook(json, scope, Hook::kVisionLayer, "vision-layer");
  auto step = std::make_unique<PageRankStep>();
  const int64_t iterations = json.required_int("iterations");
  if (iterations < 1 || iterations > 1000) json.refuse("iterations", "an integer from 1 to 1000");
  step->iterations = static_cast<int>(iterations);
  step->least = json.required_number("least");
  step->most = json.required_number("most");
  step->to = scope.define(json, StepScope::Kind::kScores);
  return step;
}

std::unique_ptr<const Step> parse_select_unforeseen(const Json& json, StepScope& scope) {
  require_hook(json, scope, Hook::kPixels, "pixels");
  auto step = std::make_unique<UnforeseenStep>();
  step->tau = json.required_number("tau");
  step->distance = choice<BlockDistance>(
      json, "distance",
      {{"max", BlockDistance::kMax}, {"mean", BlockDistance::kMean}, {"rms", BlockDistance::kRootMeanSquare}});
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
