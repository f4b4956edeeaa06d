// Every step that a lowered plan can name; step_registry.cc gives them their names.
#pragma once

#include "prune/step.h"

namespace fovea {

std::unique_ptr<const Step> parse_score_custom(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_custom(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_probe(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_tap(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_allocate_images(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_allocate_parts(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_outliers(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_top_k(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_max_min(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_uniform(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_random(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_features_keys(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_bipartite(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_cells(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_density(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_neighbours(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_merge_nearest(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_probe_class(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_page_rank(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_dissimilar(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_stride(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_unforeseen(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_unlike(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_union(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_without(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_dpp(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_coverage(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_pivots(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_cosine(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_distinctiveness(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_focused_cosine(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_variance(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_norm(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_min_max(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_mean(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_softmax(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_power(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_exp(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_normalise_smooth(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_combine_product(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_combine_sum(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_features_center(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_text(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_grid(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_none(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_mass(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_recall(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_distance(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_raters(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_classifier(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_linear(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_bypass(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_score_logits(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_learned(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_edges(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_tokens(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_gather(const Json& json, StepScope& scope);

}  // namespace fovea
