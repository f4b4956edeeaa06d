// {"do":"select","by":"grid","stride":S,"to":NAME}: the rows left of every S-th row and column of the picture.
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct GridStep final : Step {
  int64_t stride;
  std::string to;

  void run(StageRun& run) const override {
    std::vector<RowSet> chosen;
    for (const Span& span : run.spans()) {
      RowSet& rows = chosen.emplace_back();
      for (const Raster::Part& part : run.source.raster(span.image).parts()) {
        for (int64_t i = 0; i < span.count; ++i) {
          const int64_t place = run.place(span, i);
          if (place < part.first || place >= part.end) continue;
          const int64_t inside = place - part.first;
          if (inside / part.columns % stride == 0 && inside % part.columns % stride == 0)
            rows.push_back(static_cast<int32_t>(i));
        }
      }
    }
    run.rows.set(to, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_grid(const Json& json, StepScope& scope) {
  if (scope.over_text()) json.refuse("by", "a kind of selection for pictures, not for text");
  auto step = std::make_unique<GridStep>();
  step->stride = json.required_int("stride");
  if (step->stride < 1) json.refuse("stride", "an integer of at least 1");
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
