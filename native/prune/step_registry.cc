#include <algorithm>
#include <string_view>

#include "prune/cache_steps/cache_steps.h"
#include "prune/step.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

// By "do", or "do by" where a step comes in kinds.
const std::map<std::string, StepParser, std::less<>> kSteps{
    {"allocate images", parse_allocate_images},
    {"allocate parts", parse_allocate_parts},
    {"bypass", parse_bypass},
    {"combine product", parse_combine_product},
    {"combine sum", parse_combine_sum},
    {"features center", parse_features_center},
    {"features keys", parse_features_keys},
    {"gather", parse_gather},
    {"merge bipartite", parse_merge_bipartite},
    {"merge cells", parse_merge_cells},
    {"merge density", parse_merge_density},
    {"merge nearest", parse_merge_nearest},
    {"merge neighbours", parse_merge_neighbours},
    {"normalise exp", parse_normalise_exp},
    {"normalise mean", parse_normalise_mean},
    {"normalise minMax", parse_normalise_min_max},
    {"normalise power", parse_normalise_power},
    {"normalise smooth3x3", parse_normalise_smooth},
    {"normalise softmax", parse_normalise_softmax},
    {"probe", parse_probe},
    {"probe class", parse_probe_class},
    {"raters", parse_raters},
    {"recall", parse_recall},
    {"score cosine", parse_score_cosine},
    {"score custom", parse_score_custom},
    {"score distance", parse_score_distance},
    {"score distinctiveness", parse_score_distinctiveness},
    {"score focusedCosine", parse_score_focused_cosine},
    {"score linear", parse_score_linear},
    {"score logits", parse_score_logits},
    {"score norm", parse_score_norm},
    {"score pageRank", parse_score_page_rank},
    {"score variance", parse_score_variance},
    {"select classifier", parse_select_classifier},
    {"select coverage", parse_select_coverage},
    {"select custom", parse_select_custom},
    {"select dissimilar", parse_select_dissimilar},
    {"select dpp", parse_select_dpp},
    {"select edges", parse_select_edges},
    {"select grid", parse_select_grid},
    {"select learned", parse_select_learned},
    {"select mass", parse_select_mass},
    {"select maxMin", parse_select_max_min},
    {"select none", parse_select_none},
    {"select outliers", parse_select_outliers},
    {"select pivots", parse_select_pivots},
    {"select random", parse_select_random},
    {"select stride", parse_select_stride},
    {"select tokens", parse_select_tokens},
    {"select topK", parse_select_top_k},
    {"select unforeseen", parse_select_unforeseen},
    {"select uniform", parse_select_uniform},
    {"select unlike", parse_select_unlike},
    {"tap", parse_tap},
    {"text", parse_text},
    {"union", parse_union},
    {"without", parse_without},
};

const std::map<std::string, CacheStepParser, std::less<>> kCacheSteps{
    {"allocate evict", parse_allocate_evict},
    {"allocate prefix", parse_allocate_prefix},
    {"allocate share", parse_allocate_share},
    {"allocate sparsity", parse_allocate_sparsity},
    {"compact", parse_compact},
    {"mass", parse_mass},
    {"pool", parse_pool},
    {"select slot", parse_select_slot},
    {"select topK", parse_select_cached_top_k},
};

template <typename Parser>
auto parse_from(const std::map<std::string, Parser, std::less<>>& steps, const Json& json, StepScope& scope) {
  std::string name = json.required_string("do");
  if (json.has("by")) name += " " + json.required_string("by");
  const auto found = steps.find(name);
  if (found != steps.end()) return found->second(json, scope);
  std::string expected;
  for (const auto& [known, parser] : steps) expected += (expected.empty() ? "" : ", ") + known;
  json.refuse("do", "do and by as one of: " + expected);
}

}  // namespace

std::unique_ptr<const Step> parse_step(const Json& json, StepScope& scope) { return parse_from(kSteps, json, scope); }

std::unique_ptr<const CacheStep> parse_cache_step(const Json& json, StepScope& scope) {
  return parse_from(kCacheSteps, json, scope);
}

std::string StepScope::use(const Json& json, const char* key, Kind kind) const {
  const std::string& name = json.required_string(key);
  require(name, json, key, kind);
  return name;
}

std::vector<std::string> StepScope::use_all(const Json& json, const char* key, Kind kind) const {
  constexpr size_t kMost = 16;
  std::vector<std::string> names;
  for (const Json& item : json.required_array(key).array()) {
    if (!item.is_string() || names.size() == kMost) json.refuse(key, "a list of at most 16 names");
    require(item.string(), json, key, kind);
    names.push_back(item.string());
  }
  if (names.empty()) json.refuse(key, "a name or more");
  return names;
}

void StepScope::require(const std::string& name, const Json& json, const char* key, Kind kind) const {
  if (kind == Kind::kFeatures && name == StageRun::kHidden) return;
  const auto found = values_.find(name);
  if (found != values_.end() && found->second == kind) return;
  const char* kinds[] = {"scores", "rows", "features", "a quota", "vectors", "queries"};
  json.refuse(key,
              std::string("the name of ") + kinds[static_cast<int>(kind)] + " that an earlier step of this stage made");
}

std::shared_ptr<PlanFile> StepScope::file(const Json& json) const {
  const std::string& path = json.required_string("file");
  if (bounds_.files == nullptr) throw Error(ErrorCode::kInternal, "a plan that names a file, where none can be opened");
  return bounds_.files->open(path);
}

int StepScope::layer_input(const Json& json) {
  if (hook_ != Hook::kDecoderLayer) json.refuse("do", "a step that needs no decoder layer at this hook");
  const int64_t layer = json.int_or("layer", layer_);
  if (layer < 0 || layer > layer_)
    json.refuse("layer", "a decoder layer from 0 to " + std::to_string(layer_) + ", where this stage is");
  if (layer < layer_) {
    int& reader = taps_.inputs[static_cast<int>(layer)];
    reader = std::max(reader, layer_);
  }
  return static_cast<int>(layer);
}

std::string StepScope::define(const Json& json, Kind kind) {
  const std::string& name = json.required_string("to");
  if (name.empty() || name.size() > 64 || name == StageRun::kHidden)
    json.refuse("to", "a name of 1 to 64 characters, not hidden");
  values_[name] = kind;
  return name;
}

}  // namespace fovea
