#include "image/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"

namespace fovea {
namespace {

constexpr std::array<std::pair<std::string_view, Filter>, 6> kFilters = {{{"nearest", Filter::kNearest},
                                                                          {"box", Filter::kBox},
                                                                          {"bilinear", Filter::kBilinear},
                                                                          {"hamming", Filter::kHamming},
                                                                          {"bicubic", Filter::kBicubic},
                                                                          {"lanczos", Filter::kLanczos}}};

// The part of a window that lies in an image; empty (width or height 0) if it misses the image.
Window intersection(const Window& window, int64_t width, int64_t height) {
  const int64_t left = std::clamp<int64_t>(window.left, 0, width);
  const int64_t top = std::clamp<int64_t>(window.top, 0, height);
  const int64_t right = std::clamp<int64_t>(window.left + window.width, left, width);
  const int64_t bottom = std::clamp<int64_t>(window.top + window.height, top, height);
  return {left, top, right - left, bottom - top};
}

void check_spec(const PreprocessSpec& spec) {
  check_image_size("the window", spec.window.width, spec.window.height);
  // Keeps sums of coordinates far from overflow.
  const auto is_far = [](int64_t place) { return place < -kMaxImageSide || place > kMaxImageSide; };
  if (is_far(spec.window.left) || is_far(spec.window.top))
    throw Error(ErrorCode::kImage, "the window lies at " + std::to_string(spec.window.left) + ", " +
                                       std::to_string(spec.window.top) + ", expected at most " +
                                       std::to_string(kMaxImageSide) + " pixels from the image");
  for (size_t c = 0; c < spec.scale.size(); ++c)
    if (!std::isfinite(spec.scale[c]) || !std::isfinite(spec.offset[c]))
      throw Error(ErrorCode::kInvalidArgument, "scale and offset of channel " + std::to_string(c) +
                                                   " must be finite; check image_mean and image_std");
}

}  // namespace

Filter parse_filter(std::string_view name) {
  for (const auto& [known, filter] : kFilters)
    if (known == name) return filter;
  throw Error(ErrorCode::kInvalidArgument, "resize filter is \"" + std::string(name) +
                                               "\", expected nearest, box, bilinear, hamming, bicubic or lanczos");
}

std::vector<float> preprocess(std::span<const uint8_t> rgb, int64_t width, int64_t height, const PreprocessSpec& spec) {
  constexpr int64_t kChannels = 3;
  check_image_size("the image", width, height);
  check_spec(spec);
  const PreprocessSpec::Size size = spec.resize.value_or(PreprocessSpec::Size{width, height});
  check_image_size("the resized image", size.width, size.height);
  const Window part = intersection(spec.window, size.width, size.height);

  const int64_t plane = spec.window.width * spec.window.height;
  std::vector<float> out(static_cast<size_t>(kChannels * plane));
  for (size_t c = 0; c < spec.offset.size(); ++c)
    std::fill_n(out.begin() + static_cast<int64_t>(c) * plane, plane, spec.offset[c]);
  if (part.width == 0 || part.height == 0) return out;

  // Without a resize this only cuts: at scale 1 the nearest pixel is the pixel itself.
  const bool same_size = size.width == width && size.height == height;
  const std::vector<uint8_t> pixels =
      resize_window(rgb, width, height, size.width, size.height, same_size ? Filter::kNearest : spec.filter, part);
  for (int64_t y = 0; y < part.height; ++y) {
    const int64_t row = (part.top + y - spec.window.top) * spec.window.width + part.left - spec.window.left;
    const uint8_t* in = pixels.data() + y * part.width * kChannels;
    for (int64_t c = 0; c < kChannels; ++c) {
      const float scale = spec.scale[static_cast<size_t>(c)];
      const float offset = spec.offset[static_cast<size_t>(c)];
      float* to = out.data() + c * plane + row;
      for (int64_t x = 0; x < part.width; ++x) to[x] = static_cast<float>(in[x * kChannels + c]) * scale + offset;
    }
  }
  return out;
}

}  // namespace fovea
