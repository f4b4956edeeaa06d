// The named values that the steps of a stage hand to each other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace fovea {

using Scores = std::vector<float>;    // one number per row of a unit
using RowSet = std::vector<int32_t>;  // rows of a unit, ascending, counted from its first row

// Values of one kind by name. Each holds one entry per unit: per span of the sequence or, at hooks on the KV cache, per
// layer or per layer and KV head (entry layer * n_kv_heads + head).
template <typename T>
class Named {
 public:
  void set(const std::string& name, std::vector<T> per_unit) { values_[name] = std::move(per_unit); }
  const std::vector<T>& get(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) throw Error(ErrorCode::kInternal, "stage: nothing is called " + name);
    return found->second;
  }
  void clear() { values_.clear(); }
  std::map<std::string, std::vector<T>>& all() { return values_; }

 private:
  std::map<std::string, std::vector<T>> values_;
};

}  // namespace fovea
