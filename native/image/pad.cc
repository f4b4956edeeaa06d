#include "image/pad.h"

#include <algorithm>

#include "base/error.h"

namespace fovea {

std::vector<uint8_t> pad(std::span<const uint8_t> rgb, int64_t width, int64_t height, const Window& outer,
                         const std::array<uint8_t, 3>& fill) {
  constexpr int64_t kChannels = 3;
  check_image_size("the image", width, height);
  check_image_size("the padded image", outer.width, outer.height);
  if (std::ssize(rgb) != width * height * kChannels)
    throw Error(ErrorCode::kInvalidArgument, "the picture does not hold width x height x 3 levels");
  if (outer.left < 0 || outer.top < 0 || outer.left > outer.width - width || outer.top > outer.height - height)
    throw Error(ErrorCode::kImage, "the image does not lie inside the padded one");
  std::vector<uint8_t> padded(static_cast<size_t>(outer.width * outer.height * kChannels));
  for (size_t i = 0; i < padded.size(); ++i) padded[i] = fill[i % fill.size()];
  for (int64_t y = 0; y < height; ++y)
    std::copy_n(rgb.begin() + y * width * kChannels, width * kChannels,
                padded.begin() + ((outer.top + y) * outer.width + outer.left) * kChannels);
  return padded;
}

}  // namespace fovea
