// Every step that a lowered plan can name; step_registry.cc gives them their names.
#pragma once

#include "prune/step.h"

namespace fovea {

std::unique_ptr<const Step> parse_probe(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_top_k(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_max_min(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_uniform(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_select_random(const Json& json, StepScope& scope);
std::unique_ptr<const Step> parse_gather(const Json& json, StepScope& scope);

}  // namespace fovea
