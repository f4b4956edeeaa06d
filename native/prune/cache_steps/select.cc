// {"do":"select","by":B,"quota":NAME,…,"to":NAME}: which rows of each layer's cache stay, by
//  topK  {"score":NAME,"first":N,"last":N,"lastShare":R}: the first N, the last N (or R of the quota), and the best of
//        the others; a quota too small for all of these keeps the last ones, then the first
//  slot  {"behind":N}: all, unless the layer holds a row more than its share of what it has seen: then the one that
//        stands N rows before the end of what the quota let stay goes (PrefixKV's rule while decoding)
#include "prune/select.h"

#include <algorithm>

#include "prune/cache_steps/cache_steps.h"
#include "prune/cache_steps/parse.h"

namespace fovea {
namespace {

RowSet best_between(const Scores& scores, int64_t keep, int64_t first, int64_t last) {
  const auto n = static_cast<int64_t>(scores.size());
  keep = std::min(keep, n);
  last = std::min(last, keep);
  first = std::min(first, keep - last);
  const std::span<const float> between(scores.begin() + first, scores.end() - last);
  RowSet rows = rows_between(0, first);
  for (int32_t row : select_top_k(between, keep - first - last)) rows.push_back(static_cast<int32_t>(first + row));
  const RowSet tail = rows_between(n - last, n);
  rows.insert(rows.end(), tail.begin(), tail.end());
  return rows;
}

struct TopKStep final : CacheStep {
  std::string score, quota, to;
  int64_t first = 0, last = 0;
  double last_share = 0;

  void run(CacheRun& run) const override {
    const std::vector<Scores>& scores = run.state.scores.get(score);
    const std::vector<Quota>& quotas = run.state.quotas.get(quota);
    std::vector<RowSet> rows;
    for (size_t i = 0; i < scores.size(); ++i) {
      const int64_t keep = quotas[i * quotas.size() / scores.size()].rows;
      const auto share = static_cast<int64_t>(last_share * static_cast<double>(keep));
      rows.push_back(best_between(scores[i], keep, first, std::max(last, share)));
    }
    run.rows.set(to, std::move(rows));
  }
};

struct SlotStep final : CacheStep {
  std::string quota, to;
  int64_t behind = 0;

  void run(CacheRun& run) const override {
    const std::vector<Quota>& quotas = run.state.quotas.get(quota);
    std::vector<RowSet> rows;
    for (size_t i = 0; i < quotas.size(); ++i) {
      const int64_t length = run.cache.length(static_cast<int>(i));
      RowSet kept = rows_between(0, length);
      const double allowed = static_cast<double>(run.cache.seen(static_cast<int>(i))) * quotas[i].share;
      const int64_t slot = quotas[i].rows - behind < 1 ? quotas[i].rows / 2 : quotas[i].rows - behind;
      if (static_cast<double>(length) - allowed >= 1 && slot < length) kept.erase(kept.begin() + slot);
      rows.push_back(std::move(kept));
    }
    run.rows.set(to, std::move(rows));
  }
};

}  // namespace

std::unique_ptr<const CacheStep> parse_select_cached_top_k(const Json& json, StepScope& scope) {
  auto step = std::make_unique<TopKStep>();
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->quota = scope.use(json, "quota", StepScope::Kind::kQuotas);
  step->first = parse_count(json, "first", 0, 0);
  step->last = parse_count(json, "last", 0, 0);
  if (json.has("lastShare")) step->last_share = parse_share(json, "lastShare");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const CacheStep> parse_select_slot(const Json& json, StepScope& scope) {
  auto step = std::make_unique<SlotStep>();
  step->quota = scope.use(json, "quota", StepScope::Kind::kQuotas);
  step->behind = parse_count(json, "behind", 0, 0);
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
