// {"do":"select","by":"coverage","cover":[TERM, …],"worth":NAME,"algorithm":A,"keep":BUDGET,"to":NAME}: rows that
// together resemble what is to be covered. A TERM is {"features":NAME,"vectors":NAME,"weight":NAME,"scale":1,
// "temperature":T,"floor":0}: the vectors or, without them, the rows themselves; cosine or, with T, its softmax over
// rows. weight and worth name scores. A is "exact", "lazy" or "block8" (coverage.h).
#include "prune/coverage.h"
#include "prune/steps/select.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

constexpr size_t kMaxTerms = 8;

struct Term {
  std::string features, vectors, weight;
  double scale, temperature, floor;
};

Term parse_term(const Json& json, const StepScope& scope) {
  Term term;
  term.features = scope.use(json, "features", StepScope::Kind::kFeatures);
  if (json.has("vectors")) term.vectors = scope.use(json, "vectors", StepScope::Kind::kVectors);
  if (json.has("weight")) {
    if (json.has("vectors")) json.refuse("weight", "nothing: scores weigh rows, not vectors");
    term.weight = scope.use(json, "weight", StepScope::Kind::kScores);
  }
  term.scale = json.has("scale") ? positive_number(json, "scale") : 1;
  term.temperature = json.has("temperature") ? positive_number(json, "temperature") : 0;
  term.floor = json.number_or("floor", 0);
  if (!(term.floor >= -1 && term.floor <= 1)) json.refuse("floor", "a number from -1 to 1");
  return term;
}

struct CoverageStep final : SelectStep {
  std::vector<Term> terms;
  std::string worth;
  CoverageAlgorithm algorithm;

  RowSet choose(const StageRun& run, size_t span, int64_t count) const override {
    std::vector<CoverageTerm> of_span;
    for (const Term& term : terms)
      of_span.push_back({run.features_of(term.features)[span].view,
                         term.vectors.empty() ? Tensor() : run.vectors.get(term.vectors)[0].view,
                         weights(run, term.weight, span), term.scale, term.temperature, term.floor});
    return select_coverage(make_coverage(run.ops, of_span), weights(run, worth, span), count, algorithm);
  }
};

}  // namespace

std::unique_ptr<const Step> parse_select_coverage(const Json& json, StepScope& scope) {
  auto step = std::make_unique<CoverageStep>();
  for (const Json& item : json.required_array("cover").array()) {
    if (!item.is_object() || step->terms.size() == kMaxTerms) json.refuse("cover", "a list of at most 8 objects");
    step->terms.push_back(parse_term(item, scope));
  }
  if (step->terms.empty()) json.refuse("cover", "an object or more");
  if (json.has("worth")) step->worth = scope.use(json, "worth", StepScope::Kind::kScores);
  step->algorithm = choice<CoverageAlgorithm>(json, "algorithm",
                                              {{"exact", CoverageAlgorithm::kExact},
                                               {"lazy", CoverageAlgorithm::kLazy},
                                               {"block8", CoverageAlgorithm::kBlock8}});
  return finish_select(std::move(step), json, scope);
}

}  // namespace fovea
