// From the pixels of a decoded image to the input of a vision tower. Mirrors PreprocessSpec in lib/native/binding.ts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "image/resample.h"

namespace fovea {

struct PreprocessSpec {
  struct Size {
    int64_t width;
    int64_t height;
  };
  std::optional<Size> resize;  // nothing keeps the size
  Filter filter = Filter::kBicubic;
  Window window;               // of the resized image; pixels outside of it are 0 before scaling
  std::array<float, 3> scale;  // per channel, applied to 0..255 values
  std::array<float, 3> offset;
};

// "bicubic" and so on; throws kInvalidArgument for other names.
Filter parse_filter(std::string_view name);

// rgb (height, width, 3) -> (3, window.height, window.width), each value * scale + offset. Throws kImage on sizes
// that do not fit.
std::vector<float> preprocess(std::span<const uint8_t> rgb, int64_t width, int64_t height, const PreprocessSpec& spec);

}  // namespace fovea
