// Every step that a stage on the KV cache can name; step_registry.cc gives them their names.
#pragma once

#include "prune/step.h"

namespace fovea {

std::unique_ptr<const CacheStep> parse_mass(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_pool(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_allocate_share(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_allocate_evict(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_allocate_prefix(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_allocate_sparsity(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_select_cached_top_k(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_select_slot(const Json& json, StepScope& scope);
std::unique_ptr<const CacheStep> parse_compact(const Json& json, StepScope& scope);

}  // namespace fovea
