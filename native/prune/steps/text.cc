// {"do":"text","rows":R,"take":T,"count":N,"to":NAME}: vectors from the rows of text as they are at this hook, which
// before the decoder are the embeddings of the prompt's tokens. R is "text" or "textAfter" (query_rows.h). T is "all",
// "mean" (one vector) or "longest": the N with the largest sum of absolute values, in descending order.
#include <algorithm>
#include <numeric>

#include "ops/host_copy.h"
#include "prune/query_rows.h"
#include "prune/score.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

enum class Take { kAll, kMean, kLongest };

struct TextStep final : Step {
  Queries rows;
  Take take;
  int64_t count = 0;
  std::string to;

  void run(StageRun& run) const override {
    const Sequence& sequence = run.sequence();
    const Tensor hidden = run.stream.hidden.slice(sequence.begin, sequence.count);
    std::vector<int32_t> chosen = query_rows(sequence, rows);
    if (chosen.empty())
      throw Error(ErrorCode::kPlan,
                  "a stage compares the image with the prompt's text, and the prompt has none; use a method that looks "
                  "at the image alone");
    Features text = gathered(run.ops, hidden, chosen);
    if (take == Take::kLongest) {
      const std::vector<float> length = score_norm(run.ops, text.view, 1);
      std::vector<size_t> order(chosen.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return length[a] > length[b]; });
      order.resize(std::min(order.size(), static_cast<size_t>(count)));
      std::vector<int32_t> longest;
      for (const size_t i : order) longest.push_back(chosen[i]);
      text = gathered(run.ops, hidden, longest);
    } else if (take == Take::kMean) {
      text = mean(run.ops, text.view);
    }
    run.vectors.set(to, {std::move(text)});
  }

  static Features gathered(Ops& ops, const Tensor& hidden, std::span<const int32_t> rows) {
    auto memory = std::make_shared<DeviceArray>();
    const Tensor view = memory->resize(ops, {static_cast<int64_t>(rows.size()), hidden.row_elements()});
    ops.gather_rows(hidden, rows, view);
    return {view, std::move(memory)};
  }

  static Features mean(Ops& ops, const Tensor& x) {
    const std::vector<float> values = host_copy(ops, x);
    std::vector<float> mean;
    const auto d = static_cast<size_t>(x.row_elements());
    for (size_t c = 0; c < d; ++c) {
      double sum = 0;
      for (size_t i = c; i < values.size(); i += d) sum += values[i];
      mean.push_back(static_cast<float>(sum / static_cast<double>(x.rows())));
    }
    return make_features(ops, 1, x.row_elements(), mean);
  }
};

}  // namespace

std::unique_ptr<const Step> parse_text(const Json& json, StepScope& scope) {
  auto step = std::make_unique<TextStep>();
  step->rows = choice<Queries>(json, "rows", {{"text", Queries::kText}, {"textAfter", Queries::kTextAfter}});
  step->take = choice<Take>(json, "take", {{"all", Take::kAll}, {"mean", Take::kMean}, {"longest", Take::kLongest}});
  if (step->take == Take::kLongest) {
    step->count = json.required_int("count");
    if (step->count < 1) json.refuse("count", "an integer of at least 1");
  }
  step->to = scope.define(json, StepScope::Kind::kVectors);
  return step;
}

}  // namespace fovea
