#include "prune/depth_plan.h"

#include <string>

namespace fovea {
namespace {

constexpr int64_t kMaxSearchContext = 1024;
constexpr int64_t kMaxProposals = 1000000;

int64_t int_in(const Json& json, std::string_view key, int64_t min, int64_t max) {
  const int64_t value = json.required_int(key);
  if (value < min || value > max)
    json.refuse(key, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return value;
}

double share(const Json& json, std::string_view key) {
  const double value = json.required_number(key);
  if (!(value >= 0 && value <= 1)) json.refuse(key, "a number from 0 to 1");
  return value;
}

DraftSearch parse_search(const Json& json, int n_layers) {
  if (n_layers < 3) json.refuse("skipRatio", "a decoder of at least 3 layers: the first and the last always run");
  DraftSearch search;
  search.skip_ratio = share(json, "skipRatio");
  search.context = int_in(json, "context", 1, kMaxSearchContext);
  search.stop_score = share(json, "stopScore");
  search.patience = int_in(json, "patience", 1, kMaxProposals);
  search.proposals = int_in(json, "proposals", 1, kMaxProposals);
  search.seed = static_cast<uint64_t>(int_in(json, "seed", 0, INT64_MAX));
  return search;
}

}  // namespace

DraftPlan parse_draft(const Json& json, const std::vector<SubLayers>& decode) {
  const int n_layers = static_cast<int>(decode.size());
  DraftPlan draft;
  draft.run = decode;
  for (const Json& item : json.required_array("skip").array()) {
    if (!item.is_object()) json.refuse("skip", "a list of objects");
    const int64_t layer = int_in(item, "layer", 0, n_layers - 1);
    const std::string& part = item.required_string("part");
    if (part != "attention" && part != "ffn") item.refuse("part", "attention or ffn");
    draft.run[static_cast<size_t>(layer)].*(part == "ffn" ? &SubLayers::ffn : &SubLayers::attention) = false;
  }
  draft.max = int_in(json, "max", 1, kMaxGuesses);
  draft.stop_probability = share(json, "stopProbability");
  draft.adapt = json.bool_or("adapt", false);
  if (json.has("search")) draft.search = parse_search(json.required_object("search"), n_layers);
  return draft;
}

ExitPlan parse_exit(const Json& json, int n_layers) {
  ExitPlan exit;
  for (const Json& item : json.required_array("layers").array()) {
    const auto layer = item.integer();
    const int after = exit.layers.empty() ? -1 : exit.layers.back();
    if (!layer || *layer <= after || *layer >= n_layers - 1)
      json.refuse("layers", "ascending decoder layers from 0 to " + std::to_string(n_layers - 2));
    exit.layers.push_back(static_cast<int>(*layer));
  }
  exit.q = share(json, "q");
  return exit;
}

}  // namespace fovea
