// {"do":"bypass","rows":R,"gain":S}: rows outside R run past the layer about to run, times their score in S; what the
// FFN adds to rows in R is multiplied by theirs. Rows outside the spans run as always. The next layer has every row
// again; this one caches keys and values of those alone that ran.
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct BypassStep final : Step {
  std::string rows, gain;

  void run(StageRun& run) const override {
    RowStream& stream = run.stream;
    stream.bypass.resize(stream.positions.size(), 0);
    stream.gains.resize(stream.positions.size(), 1.0F);
    for (size_t s = 0; s < run.spans().size(); ++s) {
      const Span& span = run.spans()[s];
      const auto begin = static_cast<size_t>(run.sequence().begin + span.begin);
      const Scores& gains = run.scores.get(gain)[s];
      for (size_t i = 0; i < gains.size(); ++i) {
        stream.bypass[begin + i] = 1;
        stream.gains[begin + i] = gains[i];
      }
      for (int32_t row : run.rows.get(rows)[s]) stream.bypass[begin + static_cast<size_t>(row)] = 0;
    }
  }
};

}  // namespace

std::unique_ptr<const Step> parse_bypass(const Json& json, StepScope& scope) {
  if (scope.hook() != Hook::kDecoderLayer) json.refuse("do", "a step that needs no decoder layer at this hook");
  auto step = std::make_unique<BypassStep>();
  step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  step->gain = scope.use(json, "gain", StepScope::Kind::kScores);
  return step;
}

}  // namespace fovea
