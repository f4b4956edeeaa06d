// {"do":"allocate","by":B,…,"to":NAME}: how many rows each layer may hold, by
//  share     {"ratio":R | "count":N}: the same share of the rows it has seen, or the same number
//  evict     {"evict":[R, …],"protect":P}: all but its own share, R per layer, and at least P
//  prefix    {"score":NAME,"evict":R,"protect":P}: prefix_search over the layers
//  sparsity  {"ratio":R,"queries":Q,"window":N,"below":B,"least":L}: R in the mean over layers, in proportion to the
//  share of
//            the attention of Q that is not small (attention_sparsity), from L to 1 per layer (VL-Cache)
// At least one row stays, and everything where R allows it.
#include <algorithm>
#include <cmath>

#include "prune/cache_steps/cache_steps.h"
#include "prune/cache_steps/parse.h"
#include "prune/prefix_search.h"

namespace fovea {
namespace {

struct AllocateStep : CacheStep {
  std::string to;

  // One entry per layer, before it is held to what the layer has.
  virtual std::vector<Quota> quotas(const CacheRun& run) const = 0;

  void run(CacheRun& run) const override {
    std::vector<Quota> all = quotas(run);
    for (size_t layer = 0; layer < all.size(); ++layer) {
      const int64_t length = run.cache.length(static_cast<int>(layer));
      all[layer].rows = std::clamp<int64_t>(all[layer].rows, std::min<int64_t>(1, length), length);
    }
    run.state.quotas.set(to, std::move(all));
  }
};

double part(int64_t rows, int64_t seen) {
  return static_cast<double>(rows) / static_cast<double>(std::max<int64_t>(1, seen));
}

// Cut to whole rows.
Quota share_of(int64_t seen, double share) { return {static_cast<int64_t>(share * static_cast<double>(seen)), share}; }

struct ShareStep final : AllocateStep {
  double ratio = 0;
  int64_t count = 0;  // instead of ratio

  std::vector<Quota> quotas(const CacheRun& run) const override {
    std::vector<Quota> all;
    for (int layer = 0; layer < run.cache.n_layers(); ++layer) {
      const int64_t seen = run.cache.seen(layer);
      all.push_back(count > 0 ? Quota{count, part(count, seen)} : share_of(seen, ratio));
    }
    return all;
  }
};

struct EvictStep final : AllocateStep {
  std::vector<double> evict;  // (n_layers)
  int64_t protect = 0;

  std::vector<Quota> quotas(const CacheRun& run) const override {
    std::vector<Quota> all;
    for (size_t i = 0; i < evict.size(); ++i) {
      const int64_t seen = run.cache.seen(static_cast<int>(i));
      // nearbyint rounds half to even in the default rounding mode, as Python's round() does.
      const auto forget = static_cast<int64_t>(std::nearbyint(evict[i] * static_cast<double>(seen)));
      all.push_back({std::max(seen - forget, std::min(protect, seen)), 1 - evict[i]});
    }
    return all;
  }
};

struct PrefixStep final : AllocateStep {
  std::string score;
  double evict = 0;
  int64_t protect = 0;

  std::vector<Quota> quotas(const CacheRun& run) const override {
    const std::vector<int64_t> forget = prefix_search(run.state.scores.get(score), evict, protect);
    std::vector<Quota> all;
    for (size_t i = 0; i < forget.size(); ++i) {
      const int64_t rows = run.cache.length(static_cast<int>(i)) - forget[i];
      all.push_back({rows, part(rows, run.cache.seen(static_cast<int>(i)))});
    }
    return all;
  }
};

struct SparsityStep final : AllocateStep {
  CacheTap tap;
  double ratio = 0;
  double least = 0;

  std::vector<Quota> quotas(const CacheRun& run) const override {
    double sum = 0;
    int64_t n = 0;  // layers that attended
    for (const CacheLayer& layer : run.state.layers) {
      if (!layer.sparsities.contains(tap)) continue;
      sum += 1 - layer.sparsities.at(tap);
      ++n;
    }
    std::vector<Quota> all;
    for (size_t i = 0; i < run.state.layers.size(); ++i) {
      const auto& sparsities = run.state.layers[i].sparsities;
      double share = ratio;
      if (ratio < 1 && sum > 0 && sparsities.contains(tap))
        share = std::clamp(ratio * (1 - sparsities.at(tap)) * static_cast<double>(n) / sum, least, 1.0);
      all.push_back(share_of(run.cache.seen(static_cast<int>(i)), share));
    }
    return all;
  }
};

template <typename S>
std::unique_ptr<const CacheStep> finish(std::unique_ptr<S> step, const Json& json, StepScope& scope) {
  step->to = scope.define(json, StepScope::Kind::kQuotas);
  return step;
}

}  // namespace

std::unique_ptr<const CacheStep> parse_allocate_share(const Json& json, StepScope& scope) {
  auto step = std::make_unique<ShareStep>();
  if (json.has("ratio") == json.has("count")) json.refuse("ratio", "exactly one of ratio and count");
  if (json.has("ratio")) {
    step->ratio = parse_share(json, "ratio");
  } else {
    step->count = parse_count(json, "count", 0, 1);
  }
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const CacheStep> parse_allocate_evict(const Json& json, StepScope& scope) {
  auto step = std::make_unique<EvictStep>();
  for (const Json& item : json.required_array("evict").array()) {
    const double share = item.is_number() ? item.number() : -1;
    if (!(share >= 0 && share <= 1)) json.refuse("evict", "a list of numbers from 0 to 1");
    step->evict.push_back(share);
  }
  const auto n_layers = static_cast<size_t>(scope.bounds().n_layers);
  if (step->evict.size() != n_layers)
    json.refuse("evict", "one number for each of " + std::to_string(n_layers) + " decoder layers");
  step->protect = parse_count(json, "protect", 0, 0);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const CacheStep> parse_allocate_prefix(const Json& json, StepScope& scope) {
  auto step = std::make_unique<PrefixStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->evict = parse_share(json, "evict");
  step->protect = parse_count(json, "protect", 0, 0);
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const CacheStep> parse_allocate_sparsity(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kPrefilled) json.refuse("by", "a budget that needs no prompt at this hook");
  auto step = std::make_unique<SparsityStep>();
  step->tap = parse_cache_tap(json, CacheTap::Kind::kSparsity);
  step->tap.below = static_cast<float>(parse_share(json, "below"));
  step->ratio = parse_share(json, "ratio");
  step->least = parse_share(json, "least");
  scope.want(step->tap);
  return finish(std::move(step), json, scope);
}

}  // namespace fovea
