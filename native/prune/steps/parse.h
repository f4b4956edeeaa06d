// Reading the parts that steps have in common.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "io/json.h"
#include "prune/allocate.h"

namespace fovea {

// json.key as one of the names in choices. Throws kPlan.
template <typename T>
T choice(const Json& json, std::string_view key, const std::map<std::string_view, T>& choices) {
  const auto found = choices.find(json.required_string(key));
  if (found != choices.end()) return found->second;
  std::string expected;
  for (const auto& [name, value] : choices) expected += (expected.empty() ? "" : " or ") + std::string(name);
  json.refuse(key, expected);
}

template <typename T>
T choice_or(const Json& json, std::string_view key, T fallback, const std::map<std::string_view, T>& choices) {
  return json.has(key) ? choice(json, key, choices) : fallback;
}

// {"ratio":R | "count":N, "of":"stage"|"decoder", "rounding":…}. Throws kPlan.
KeepBudget parse_budget(const Json& json);

// json.key, in (0, 1e6]: a temperature, an exponent, a scale. Throws kPlan.
double positive_number(const Json& json, std::string_view key);

}  // namespace fovea
