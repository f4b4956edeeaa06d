#include "prune/steps/parse.h"

namespace fovea {

KeepBudget parse_budget(const Json& json) {
  KeepBudget budget;
  budget.of =
      choice<KeepBudget::Of>(json, "of", {{"stage", KeepBudget::Of::kStage}, {"decoder", KeepBudget::Of::kDecoder}});
  budget.rounding = choice<KeepBudget::Rounding>(json, "rounding",
                                                 {{"trunc", KeepBudget::Rounding::kTrunc},
                                                  {"half-even", KeepBudget::Rounding::kHalfEven},
                                                  {"drop-half-even", KeepBudget::Rounding::kDropHalfEven},
                                                  {"half-up", KeepBudget::Rounding::kHalfUp},
                                                  {"ceil", KeepBudget::Rounding::kCeil}});
  budget.share = json.number_or("share", 1);
  if (!(budget.share > 0 && budget.share <= 1)) json.refuse("share", "a number above 0 and at most 1");
  if (json.has("ratio") == json.has("count")) json.refuse("ratio", "exactly one of ratio and count");
  if (json.has("ratio")) {
    budget.ratio = json.required_number("ratio");
    if (!(budget.ratio > 0 && budget.ratio <= 1)) json.refuse("ratio", "a number above 0 and at most 1");
  } else {
    budget.count = json.required_int("count");
    if (budget.count < 1) json.refuse("count", "an integer of at least 1");
  }
  return budget;
}

double positive_number(const Json& json, std::string_view key) {
  const double number = json.required_number(key);
  if (!(number > 0 && number <= 1e6)) json.refuse(key, "a number above 0 and at most 1000000");
  return number;
}

}  // namespace fovea
