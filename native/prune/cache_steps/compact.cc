// {"do":"compact","rows":NAME}: the rows of each layer's cache that stay.
#include "prune/compact.h"

#include "prune/cache_steps/cache_steps.h"

namespace fovea {
namespace {

struct CompactStep final : CacheStep {
  std::string rows;
  void run(CacheRun& run) const override {
    compact(run.cache, run.state, run.rows.get(rows));
    run.rows.clear();
  }
};

}  // namespace

std::unique_ptr<const CacheStep> parse_compact(const Json& json, StepScope& scope) {
  auto step = std::make_unique<CompactStep>();
  step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  scope.forget(StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
