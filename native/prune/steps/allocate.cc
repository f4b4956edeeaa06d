// {"do":"allocate","by":B,"score":NAME,…,"keep":BUDGET,"to":NAME}: how many rows stay where, for a selection that takes
// a "quota". B is
//  images  what the images may keep in all is dealt out among them: the share "even" by their rows, the rest by how
//  many
//          of the best-scored rows of all images, the share "top" of them, each has
//  parts   what an image may keep is dealt out among so many "parts", equal runs of its rows, by their mean score
#include <algorithm>
#include <numeric>

#include "prune/select.h"
#include "prune/steps/parse.h"
#include "prune/steps/parts.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct AllocateStep : Step {
  std::string score, to;
  KeepBudget keep;
};

struct ImagesStep final : AllocateStep {
  double top = 0, even = 0;

  void run(StageRun& run) const override {
    std::vector<int64_t> room;
    std::vector<float> all;
    int64_t total = 0;
    for (size_t i = 0; i < run.spans().size(); ++i) {
      const Scores& own = run.scores.get(score)[i];
      all.insert(all.end(), own.begin(), own.end());
      room.push_back(run.spans()[i].count);
      total += allocate(keep, run.spans()[i]);
    }
    const auto n = static_cast<double>(all.size());
    const std::vector<int32_t> best = select_top_k(all, static_cast<int64_t>(top * n));
    std::vector<double> worth;
    int64_t begin = 0;
    for (const int64_t rows : room) {
      const auto own =
          std::lower_bound(best.begin(), best.end(), begin + rows) - std::lower_bound(best.begin(), best.end(), begin);
      const double by_score = best.empty() ? 0 : static_cast<double>(own) / static_cast<double>(best.size());
      worth.push_back(even * static_cast<double>(rows) / n + (1 - even) * by_score);
      begin += rows;
    }
    std::vector<Quotas> quotas;
    for (const int64_t rows : apportion(total, worth, room)) quotas.push_back({rows});
    run.quotas.set(to, std::move(quotas));
  }
};

struct PartsStep final : AllocateStep {
  int64_t parts = 1;

  void run(StageRun& run) const override {
    std::vector<Quotas> quotas;
    for (size_t i = 0; i < run.spans().size(); ++i) {
      const Scores& own = run.scores.get(score)[i];
      std::vector<double> worth;
      std::vector<int64_t> room;
      for (int64_t part = 0; part < parts; ++part) {
        const auto [begin, end] = part_of(std::ssize(own), part, parts);
        room.push_back(end - begin);
        worth.push_back(std::accumulate(own.begin() + begin, own.begin() + end, 0.0) /
                        static_cast<double>(std::max<int64_t>(1, end - begin)));
      }
      quotas.push_back(apportion(allocate(keep, run.spans()[i]), worth, room));
    }
    run.quotas.set(to, std::move(quotas));
  }
};

std::unique_ptr<const Step> finish(std::unique_ptr<AllocateStep> step, const Json& json, StepScope& scope) {
  step->score = scope.use(json, "score", StepScope::Kind::kScores);
  step->keep = parse_budget(json.required_object("keep"));
  step->to = scope.define(json, StepScope::Kind::kQuotas);
  return step;
}

double share(const Json& json, const char* key) {
  const double number = json.required_number(key);
  if (!(number >= 0 && number <= 1)) json.refuse(key, "a number from 0 to 1");
  return number;
}

}  // namespace

std::unique_ptr<const Step> parse_allocate_images(const Json& json, StepScope& scope) {
  auto step = std::make_unique<ImagesStep>();
  step->top = share(json, "top");
  step->even = share(json, "even");
  return finish(std::move(step), json, scope);
}

std::unique_ptr<const Step> parse_allocate_parts(const Json& json, StepScope& scope) {
  auto step = std::make_unique<PartsStep>();
  step->parts = parse_parts(json);
  return finish(std::move(step), json, scope);
}

}  // namespace fovea
