#include "image/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"

namespace fovea {
namespace {

constexpr int kChannels = 3;
constexpr int64_t kTapBlock = 8;  // taps are padded with zeros to a multiple, so that the inner loop has no tail

double sinc(double x) { return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

// Half the width of a filter, in pixels of the smaller image.
double support_of(Filter filter) {
  switch (filter) {
    case Filter::kNearest:
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
    case Filter::kHamming:
      return 1;
    case Filter::kBicubic:
      return 2;
    case Filter::kLanczos:
      return 3;
  }
  return 0;
}

double filter_value(Filter filter, double x) {
  const double t = std::fabs(x);
  switch (filter) {
    case Filter::kNearest:
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::kBilinear:
      return t < 1 ? 1 - t : 0;
    case Filter::kHamming:
      return t < 1 ? sinc(t) * (0.54 + 0.46 * std::cos(t * std::numbers::pi)) : 0;
    case Filter::kBicubic: {
      constexpr double a = -0.5;  // Pillow's and torch's antialiased cubic; the plain one of torch has -0.75
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0;
    }
    case Filter::kLanczos:
      return t < 3 ? sinc(t) * sinc(t / 3) : 0;
  }
  return 0;
}

// One direction of a resize: output i is the sum over t of weight (i, t) * input begin[i] + t, in fixed point.
struct Axis {
  int64_t n_taps;                // a multiple of kTapBlock; unused ones are zero
  int shift;                     // weights are scaled by 2^shift
  std::vector<int32_t> begin;    // (n_out)
  std::vector<int32_t> end;      // (n_out)
  std::vector<int16_t> weights;  // (n_out, n_taps)
  const int16_t* taps(int64_t i) const { return weights.data() + i * n_taps; }
};

// The largest scale at which every weight fits 16 bits; at most 22 bits, so that sums fit 32.
int shift_for(double max_weight) {
  int shift = 0;
  while (shift < 22 && 0.5 + max_weight * static_cast<double>(1 << (shift + 1)) < 32768) ++shift;
  return shift;
}

Axis make_axis(int64_t n_in, int64_t n_out, Filter filter) {
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double stretch = std::max(scale, 1.0);
  const double support = support_of(filter) * stretch;
  const int64_t max_taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  const size_t n = static_cast<size_t>(n_out);

  Axis axis{
      (max_taps + kTapBlock - 1) / kTapBlock * kTapBlock, 0, std::vector<int32_t>(n), std::vector<int32_t>(n), {}};
  std::vector<double> weights(n * static_cast<size_t>(axis.n_taps));
  double max_weight = 0;
  for (int64_t i = 0; i < n_out; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(std::floor(center - support + 0.5)), 0);
    const int64_t end = std::min(static_cast<int64_t>(std::floor(center + support + 0.5)), n_in);
    double* row = weights.data() + i * axis.n_taps;
    double total = 0;
    for (int64_t j = begin; j < end; ++j) {
      row[j - begin] = filter_value(filter, (static_cast<double>(j) - center + 0.5) / stretch);
      total += row[j - begin];
    }
    for (int64_t t = 0; t < end - begin; ++t) {
      if (total != 0) row[t] /= total;
      max_weight = std::max(max_weight, row[t]);
    }
    axis.begin[static_cast<size_t>(i)] = static_cast<int32_t>(begin);
    axis.end[static_cast<size_t>(i)] = static_cast<int32_t>(end);
  }

  axis.shift = shift_for(max_weight);
  const double unit = static_cast<double>(1 << axis.shift);
  axis.weights.reserve(weights.size());
  for (double weight : weights) axis.weights.push_back(static_cast<int16_t>(std::round(weight * unit)));
  return axis;
}

uint8_t to_byte(int32_t sum, int shift) { return static_cast<uint8_t>(std::clamp(sum >> shift, 0, 255)); }

// Sums of products of 16-bit numbers: every x86-64 has an instruction for a block of them.
int32_t dot(const int16_t* x, const int16_t* w, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * w[i];
  return sum;
}

// One row: in (n_in, 3) -> columns [first, first + n) of out (n, 3). planes: scratch of 3 * stride numbers, zero where
// no input of these columns goes.
void resize_row(const uint8_t* in, const Axis& axis, int64_t first, int64_t n, int16_t* planes, int64_t stride,
                uint8_t* out) {
  const int64_t first_in = axis.begin[static_cast<size_t>(first)];
  const int64_t last_in = axis.end[static_cast<size_t>(first + n - 1)];
  for (int64_t x = first_in; x < last_in; ++x)
    for (int64_t c = 0; c < kChannels; ++c) planes[c * stride + x] = in[x * kChannels + c];
  const int32_t half = 1 << axis.shift >> 1;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = axis.begin[static_cast<size_t>(first + i)];
    for (int64_t c = 0; c < kChannels; ++c)
      out[i * kChannels + c] =
          to_byte(half + dot(planes + c * stride + begin, axis.taps(first + i), axis.n_taps), axis.shift);
  }
}

// rgb (height, width, 3) -> its rows [first_row, last_row), columns of the window: (last_row - first_row,
// window.width, 3)
std::vector<uint8_t> resize_rows(std::span<const uint8_t> rgb, int64_t width, const Axis& axis, const Window& window,
                                 int64_t first_row, int64_t last_row) {
  const int64_t stride = width + axis.n_taps;
  std::vector<int16_t> planes(static_cast<size_t>(stride * kChannels));
  std::vector<uint8_t> out(static_cast<size_t>((last_row - first_row) * window.width * kChannels));
  for (int64_t y = first_row; y < last_row; ++y)
    resize_row(rgb.data() + y * width * kChannels, axis, window.left, window.width, planes.data(), stride,
               out.data() + (y - first_row) * window.width * kChannels);
  return out;
}

// rows (…, row_size), the first of which is row first_row of the image -> (window.height, row_size)
std::vector<uint8_t> resize_columns(const std::vector<uint8_t>& rows, int64_t row_size, const Axis& axis,
                                    const Window& window, int64_t first_row) {
  std::vector<uint8_t> out(static_cast<size_t>(window.height * row_size));
  std::vector<int32_t> sums(static_cast<size_t>(row_size));
  for (int64_t i = 0; i < window.height; ++i) {
    const size_t y = static_cast<size_t>(window.top + i);
    std::fill(sums.begin(), sums.end(), 1 << axis.shift >> 1);
    for (int32_t t = 0; t < axis.end[y] - axis.begin[y]; ++t) {
      const int16_t weight = axis.taps(window.top + i)[t];
      const uint8_t* row = rows.data() + (axis.begin[y] + t - first_row) * row_size;
      for (int64_t x = 0; x < row_size; ++x) sums[static_cast<size_t>(x)] += weight * row[x];
    }
    uint8_t* out_row = out.data() + i * row_size;
    for (int64_t x = 0; x < row_size; ++x) out_row[x] = to_byte(sums[static_cast<size_t>(x)], axis.shift);
  }
  return out;
}

// The input whose area holds the centre of output i, computed in f32 like torch's "nearest-exact".
int64_t nearest_index(int64_t i, int64_t n_in, int64_t n_out) {
  const float scale = static_cast<float>(n_in) / static_cast<float>(n_out);
  const double center = (static_cast<double>(i) + 0.5) * static_cast<double>(scale);
  return std::min(static_cast<int64_t>(std::floor(static_cast<float>(center))), n_in - 1);
}

std::vector<uint8_t> nearest(std::span<const uint8_t> rgb, int64_t width, int64_t height, int64_t new_width,
                             int64_t new_height, const Window& window) {
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(window.width * window.height * kChannels));
  for (int64_t y = window.top; y < window.top + window.height; ++y) {
    const uint8_t* row = rgb.data() + nearest_index(y, height, new_height) * width * kChannels;
    for (int64_t x = window.left; x < window.left + window.width; ++x) {
      const uint8_t* pixel = row + nearest_index(x, width, new_width) * kChannels;
      out.insert(out.end(), pixel, pixel + kChannels);
    }
  }
  return out;
}

void check_window(const Window& window, int64_t width, int64_t height) {
  const bool fits = window.left >= 0 && window.top >= 0 && window.width > 0 && window.height > 0 &&
                    window.width <= width - window.left && window.height <= height - window.top;
  if (!fits) throw Error(ErrorCode::kInternal, "window outside of the resized image");
}

}  // namespace

void check_image_size(const char* what, int64_t width, int64_t height) {
  const bool fits = width >= 1 && height >= 1 && width <= kMaxImageSide && height <= kMaxImageSide;
  if (fits && width * height <= kMaxImagePixels) return;
  throw Error(ErrorCode::kImage, std::string(what) + " is " + std::to_string(width) + " x " + std::to_string(height) +
                                     " pixels, expected sides of 1 to " + std::to_string(kMaxImageSide) +
                                     " and at most " + std::to_string(kMaxImagePixels) + " pixels");
}

std::vector<uint8_t> resize_window(std::span<const uint8_t> rgb, int64_t width, int64_t height, int64_t new_width,
                                   int64_t new_height, Filter filter, const Window& window) {
  check_image_size("the image", width, height);
  check_image_size("the resized image", new_width, new_height);
  check_window(window, new_width, new_height);
  if (rgb.size() != static_cast<size_t>(width * height * kChannels))
    throw Error(ErrorCode::kImage, "an image of " + std::to_string(width) + " x " + std::to_string(height) + " has " +
                                       std::to_string(rgb.size()) + " bytes, expected " +
                                       std::to_string(width * height * kChannels));
  if (filter == Filter::kNearest) return nearest(rgb, width, height, new_width, new_height, window);

  const Axis horizontal = make_axis(width, new_width, filter);
  const Axis vertical = make_axis(height, new_height, filter);
  const int64_t first_row = vertical.begin[static_cast<size_t>(window.top)];
  const int64_t last_row = vertical.end[static_cast<size_t>(window.top + window.height - 1)];
  // Squashing one side while stretching the other can need more between the passes than before and after.
  check_image_size("the image between the passes of its resize", window.width, last_row - first_row);
  const std::vector<uint8_t> rows = resize_rows(rgb, width, horizontal, window, first_row, last_row);
  return resize_columns(rows, window.width * kChannels, vertical, window, first_row);
}

std::vector<uint8_t> resize(std::span<const uint8_t> rgb, int64_t width, int64_t height, int64_t new_width,
                            int64_t new_height, Filter filter) {
  return resize_window(rgb, width, height, new_width, new_height, filter, {0, 0, new_width, new_height});
}

}  // namespace fovea
