// {"do":"select","by":"learned","of":[A,B,…],"file":F,"chain":[L1,L2,…],"rows":R,"value":V,"atLeast":N,"to":NAME}: the
// rows of each span whose score is above a threshold that the span itself sets: the means of the scores A, B, … over
// the span go through the linear maps L1, L2, … (tensors L.weight and L.bias of the safetensors file F; the last has
// one output) and a sigmoid. The score of a row is the mean of its scores A, B, …; or, with R, it is V for rows in R
// and they alone can pass. If fewer than N pass, the N with the highest scores stay; with R, N is 0.
#include <algorithm>
#include <cmath>

#include "prune/select.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

constexpr size_t kMaxLinks = 8;

struct Link {
  std::vector<float> weight, bias;  // (n, k), (n)
};

struct LearnedStep final : Step {
  std::vector<std::string> of;
  std::string rows;  // or empty
  double value = 0;
  std::vector<Link> chain;
  int64_t at_least;
  std::string to;

  double threshold(const StageRun& run, size_t span) const {
    std::vector<double> x;
    for (const std::string& name : of) {
      double sum = 0;
      for (float value : run.scores.get(name)[span]) sum += value;
      x.push_back(sum / static_cast<double>(run.spans()[span].count));
    }
    for (const Link& link : chain) {
      std::vector<double> y(link.bias.begin(), link.bias.end());
      for (size_t i = 0; i < y.size(); ++i)
        for (size_t j = 0; j < x.size(); ++j) y[i] += x[j] * link.weight[i * x.size() + j];
      x = std::move(y);
    }
    return 1 / (1 + std::exp(-x.front()));
  }

  Scores mean_scores(const StageRun& run, size_t span) const {
    Scores mean(static_cast<size_t>(run.spans()[span].count), 0.0F);
    for (const std::string& name : of) {
      const Scores& scores = run.scores.get(name)[span];
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += scores[i] / static_cast<float>(of.size());
    }
    return mean;
  }

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (size_t s = 0; s < run.spans().size(); ++s) {
      RowSet& passed = chosen.emplace_back();
      if (run.spans()[s].count == 0) continue;
      const double least = threshold(run, s);
      if (!rows.empty()) {
        if (value > least) passed = run.rows.get(rows)[s];
        continue;
      }
      const Scores scores = mean_scores(run, s);
      for (size_t i = 0; i < scores.size(); ++i)
        if (scores[i] > least) passed.push_back(static_cast<int32_t>(i));
      const int64_t minimum = std::min(at_least, run.spans()[s].count);
      if (static_cast<int64_t>(passed.size()) < minimum) passed = select_top_k(scores, minimum);
    }
    run.rows.set(to, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_learned(const Json& json, StepScope& scope) {
  auto step = std::make_unique<LearnedStep>();
  step->of = scope.use_all(json, "of", StepScope::Kind::kScores);
  const Json::Array& chain = json.required_array("chain").array();
  if (chain.empty() || chain.size() > kMaxLinks) json.refuse("chain", "1 to 8 names of linear maps");
  const auto file = scope.file(json);
  auto inputs = static_cast<int64_t>(step->of.size());
  for (const Json& link : chain) {
    if (!link.is_string()) json.refuse("chain", "names of linear maps");
    const int64_t outputs = &link == &chain.back() ? 1 : file->rows_of(link.string() + ".weight");
    step->chain.push_back(
        {file->numbers(link.string() + ".weight", outputs * inputs), file->numbers(link.string() + ".bias", outputs)});
    inputs = outputs;
  }
  if (json.has("rows")) {
    step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
    step->value = json.required_number("value");
  }
  step->at_least = json.int_or("atLeast", step->rows.empty() ? 1 : 0);
  if (step->at_least < 0 || (step->at_least > 0 && !step->rows.empty()))
    json.refuse("atLeast", "an integer of at least 0, and 0 with rows");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
