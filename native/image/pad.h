// Puts a picture into a larger one of a plain colour.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "image/resample.h"

namespace fovea {

// rgb (height, width, 3) to (outer.height, outer.width, 3): the picture stands outer.left and outer.top pixels from its
// edges, and around it is `fill`. Throws kImage on sizes that do not fit.
std::vector<uint8_t> pad(std::span<const uint8_t> rgb, int64_t width, int64_t height, const Window& outer,
                         const std::array<uint8_t, 3>& fill);

}  // namespace fovea
