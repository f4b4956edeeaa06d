// {"do":"select","by":"classifier","file":F,"weights":[W1,W2],"to":NAME}: all visual rows or none, as two classes of
// the text say. Its features (2 d_model) are the mean of the rows behind the last image but the prompt's last row (of
// that row itself when there are no others), and the last row. logits = W2 gelu(W1 features), W1 (h, 2 d_model), W2 (2,
// h) of the safetensors file F; the rows go if logits[1] > logits[0].
#include <cmath>

#include "prune/select.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct ClassifierStep final : Step {
  std::shared_ptr<const PackedMatrix> w1, w2;
  std::string to;

  void run(StageRun& run) const override {
    const Sequence& sequence = run.sequence();
    const Span& span = sequence.spans.back();
    const int64_t last = sequence.count - 1;
    const int64_t begin = std::min(span.begin + span.count, last), n = std::max<int64_t>(1, last - begin);
    const Tensor text = run.stream.hidden.slice(sequence.begin + begin, last - begin + 1);
    const int64_t d = text.row_elements();
    std::vector<float> rows(static_cast<size_t>(text.elements()));
    run.ops.copy_to_host(text, rows.data());
    std::vector<float> features(static_cast<size_t>(2 * d));
    for (int64_t c = 0; c < d; ++c) {
      double sum = 0;
      for (int64_t row = 0; row < n; ++row) sum += rows[static_cast<size_t>(row * d + c)];
      features[static_cast<size_t>(c)] = static_cast<float>(sum / static_cast<double>(n));
      features[static_cast<size_t>(d + c)] = rows[rows.size() - static_cast<size_t>(d - c)];
    }
    DeviceArray features_memory, inner_memory, logits_memory;
    const Tensor x = features_memory.resize(run.ops, {1, 2 * d});
    run.ops.copy_from_host(features.data(), x);
    const Tensor inner = inner_memory.resize(run.ops, {1, w1->outputs()});
    run.ops.linear_activated(x, *w1, Tensor(), Activation::kGelu, inner);
    const Tensor logits = logits_memory.resize(run.ops, {1, 2});
    run.ops.linear(inner, *w2, Tensor(), logits);
    float host[2];
    run.ops.copy_to_host(logits, host);
    if (!std::isfinite(host[0]) || !std::isfinite(host[1]))
      throw Error(ErrorCode::kNumeric, "a classifier of the plan gives NaN or infinity; its file is damaged");
    std::vector<RowSet> chosen;
    for (const Span& each : sequence.spans)
      chosen.push_back(host[1] > host[0] ? RowSet{} : select_uniform(each.count, each.count));
    run.rows.set(to, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_classifier(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kDecoderLayer || scope.over_text()) json.refuse("do", "a step that needs no text here");
  auto step = std::make_unique<ClassifierStep>();
  const Json::Array& names = json.required_array("weights").array();
  if (names.size() != 2 || !names[0].is_string() || !names[1].is_string())
    json.refuse("weights", "the names of two tensors");
  const auto file = scope.file(json);
  const int64_t inner = file->rows_of(names[0].string());
  step->w1 = file->matrix(names[0].string(), inner, 2 * scope.d_model());
  step->w2 = file->matrix(names[1].string(), 2, inner);
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
