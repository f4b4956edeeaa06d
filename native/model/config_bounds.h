// Bounds on what a config.json may ask for, before anything is allocated: far above every published model.
#pragma once

#include <cstdint>
#include <string>

#include "io/json.h"

namespace fovea {

constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadWidth = 256;  // what the attention kernels take
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxContext = int64_t{1} << 24;
constexpr int64_t kMaxImageSize = 8192;

// config.key, or fallback, within [low, high]. Throws kModelFormat.
inline int64_t bounded(const Json& config, const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const int64_t value = config.int_or(key, fallback);
  if (value < low || value > high)
    config.refuse(key, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return value;
}

}  // namespace fovea
