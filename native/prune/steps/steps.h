// Every step that a lowered plan can name; step_registry.cc gives them their names.
#pragma once

#include "prune/step.h"

namespace fovea {

std::unique_ptr<const Step> parse_probe(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_tap(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_top_k(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_max_min(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_uniform(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_random(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_features_keys(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_bipartite(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_cells(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_nearest(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_probe_class(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_page_rank(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_dissimilar(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_stride(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_unforeseen(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_unlike(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_union(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_without(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_gather(const Json& json, StepScope& scope);

}  // namespace fovea
