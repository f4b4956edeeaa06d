// {"do":"raters","layer":L,"to":NAME}: queries: the rows of text behind the last image that the picture speaks to. As
// the rows entered decoder layer L, each visual row spreads a softmax over these rows of text by its dot products with
// them; those whose mean share is above the mean ask (all of them if none stands out).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct RatersStep final : Step {
  int layer;
  std::string to;

  void run(StageRun& run) const override {
    const RowStream& then = run.source.input_of(layer);
    const Sequence& sequence = then.sequences[0];
    std::vector<int32_t> visual;
    for (const Span& span : sequence.spans)
      for (int64_t i = 0; i < span.count; ++i) visual.push_back(static_cast<int32_t>(span.begin + i));
    const Span& last = sequence.spans.back();
    const int64_t behind = last.begin + last.count, begin = behind < sequence.count ? behind : 0;
    const Tensor text = then.hidden.slice(begin, sequence.count - begin);
    const auto n = static_cast<int64_t>(visual.size()), n_text = text.rows();
    DeviceArray visual_memory;
    const Tensor rows = visual_memory.resize(run.ops, {n, text.row_elements()});
    run.ops.gather_rows(then.hidden, visual, rows);
    std::vector<double> logits(static_cast<size_t>(n * n_text));
    run.ops.dot_rows(rows, text, logits);

    std::vector<double> share(static_cast<size_t>(n_text), 0.0);
    for (auto row = logits.begin(); row != logits.end(); row += n_text) {
      const double most = *std::max_element(row, row + n_text);
      double sum = 0;
      std::vector<double> p;
      for (auto logit = row; logit != row + n_text; ++logit) sum += p.emplace_back(std::exp(*logit - most));
      for (size_t i = 0; i < p.size(); ++i) share[i] += p[i] / sum;
    }
    const double mean = std::accumulate(share.begin(), share.end(), 0.0) / static_cast<double>(n_text);
    if (std::isnan(mean)) throw Error(ErrorCode::kNumeric, "the prompt's rows hold NaN or infinity");
    RowSet raters, everyone;
    const std::vector<int32_t>& origin = run.sequence().origin;
    for (int64_t i = 0; i < n_text; ++i) {
      const auto place =
          std::lower_bound(origin.begin(), origin.end(), sequence.origin[static_cast<size_t>(begin + i)]);
      if (place == origin.end() || *place != sequence.origin[static_cast<size_t>(begin + i)]) continue;  // it has gone
      everyone.push_back(static_cast<int32_t>(place - origin.begin()));
      if (share[static_cast<size_t>(i)] > mean) raters.push_back(everyone.back());
    }
    run.rows.set(to, {raters.empty() ? everyone : raters});
  }
};

}  // namespace

std::unique_ptr<const Step> parse_raters(const Json& json, StepScope& scope) {
  auto step = std::make_unique<RatersStep>();
  json.required_int("layer");
  step->layer = scope.layer_input(json);
  if (step->layer == scope.layer() || scope.over_text())
    json.refuse("layer", "a layer before this stage's, over images");
  step->to = scope.define(json, StepScope::Kind::kQueries);
  return step;
}

}  // namespace fovea
