// {"do":"mass","queries":Q,"window":N,"heads":"all"|"kv","add":bool,"to":NAME}: how much attention the rows Q gave to
// each row in a layer's cache, as the layer itself attended. Q is "all", "textAfter" (the text behind the last image)
// or "last" (the last `window` rows). At `decode-step`, Q is "all": the rows of the step. "kv" makes scores per KV
// head (mean over the query heads that share it), "all" their mean. With add, they are added to the scores NAME.
#include "prune/cache_steps/cache_steps.h"
#include "prune/cache_steps/parse.h"
#include "prune/steps/parse.h"

namespace fovea {
namespace {

struct MassStep final : CacheStep {
  CacheTap tap;
  bool per_head;
  bool add;
  std::string to;

  void run(CacheRun& run) const override {
    const auto n_heads = static_cast<size_t>(run.cache.n_kv_heads());
    const auto n_layers = static_cast<size_t>(run.cache.n_layers());
    std::vector<Scores> before;
    if (add) before = run.state.scores.get(to);
    const size_t per_layer = add ? before.size() / n_layers : per_head ? n_heads : 1;
    std::vector<Scores> scores(n_layers * per_layer);
    for (size_t i = 0; i < scores.size(); ++i) {
      const size_t layer = i / per_layer;
      if (add) scores[i] = std::move(before[i]);
      // Rows that are new stand behind the others.
      scores[i].resize(static_cast<size_t>(run.cache.length(static_cast<int>(layer))), 0.0F);
      const auto& masses = run.state.layers[layer].masses;
      const auto noted = masses.find(tap);
      if (noted == masses.end()) continue;  // this layer did not attend
      for (size_t head = 0; head < n_heads; ++head) {
        if (per_layer > 1 && head != i % per_layer) continue;
        for (size_t row = 0; row < scores[i].size(); ++row)
          scores[i][row] += noted->second[head][row] * static_cast<float>(per_layer) / static_cast<float>(n_heads);
      }
    }
    run.state.scores.set(to, std::move(scores));
  }
};

}  // namespace

std::unique_ptr<const CacheStep> parse_mass(const Json& json, StepScope& scope) {
  auto step = std::make_unique<MassStep>();
  step->tap = parse_cache_tap(json, CacheTap::Kind::kMass);
  if (scope.hook() == Hook::kDecodeStep && step->tap.queries != Queries::kAll)
    json.refuse("queries", "all at decode-step: the rows of the step");
  step->per_head = choice<bool>(json, "heads", {{"all", false}, {"kv", true}});
  step->add = json.bool_or("add", false);
  step->to = step->add ? scope.use(json, "to", StepScope::Kind::kScores) : scope.define(json, StepScope::Kind::kScores);
  scope.want(step->tap);
  return step;
}

}  // namespace fovea
