// Resizing of 8-bit RGB images as torchvision's antialiased resize does it on the CPU, which is what transformers'
// default image processors use: two fixed-point passes whose filters widen with the down-scale factor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

enum class Filter { kNearest, kBox, kBilinear, kHamming, kBicubic, kLanczos };

constexpr int kMaxImageSide = 65535;
constexpr int64_t kMaxImagePixels = int64_t{1} << 28;

// Throws kImage, naming what, if a side is not in 1..65535 or the area exceeds 2^28 pixels.
void check_image_size(const char* what, int64_t width, int64_t height);

// A rectangle of pixels.
struct Window {
  int64_t left;
  int64_t top;
  int64_t width;
  int64_t height;
};

// rgb (height, width, 3) -> (new_height, new_width, 3). Throws kImage on sizes that do not fit.
std::vector<uint8_t> resize(std::span<const uint8_t> rgb, int64_t width, int64_t height, int64_t new_width,
                            int64_t new_height, Filter filter);

// The same, but computes only the pixels of a window that lies in the resized image: (window.height, window.width, 3).
std::vector<uint8_t> resize_window(std::span<const uint8_t> rgb, int64_t width, int64_t height, int64_t new_width,
                                   int64_t new_height, Filter filter, const Window& window);

}  // namespace fovea
