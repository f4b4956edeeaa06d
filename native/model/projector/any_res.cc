#include "model/projector/any_res.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include "base/error.h"

namespace fovea {
namespace {

// Larger pictures are not decoded; keeps products of two sides exact.
constexpr int64_t kMaxPictureSide = int64_t{1} << 20;

// A grid that is this much larger along each side than it may be is scaled down.
constexpr double kTolerated = 1.1;

// Python's int(round(x, 7)): what is a rounding error below an integer counts as that integer.
int64_t whole_number(double x) { return static_cast<int64_t>(std::floor(x + 5e-8)); }

// Python's x // y, which is exact where a quotient of floats is rounded up to an integer.
int64_t floor_divide(int64_t x, double y) {
  const auto whole = static_cast<double>(x);
  return static_cast<int64_t>(std::floor((whole - std::fmod(whole, y)) / y + 0.5));
}

// The part of a grid that is picture, not padding.
struct Part {
  int64_t top, left, height, width;
};

// A picture stands in the middle of its grid and fills it one way; the other way there is padding.
Part unpad(int64_t height, int64_t width, const PictureSize& size) {
  const auto picture_width = static_cast<double>(size.width), picture_height = static_cast<double>(size.height);
  const auto grid_width = static_cast<double>(width), grid_height = static_cast<double>(height);
  if (picture_width / picture_height > grid_width / grid_height) {
    const int64_t padding = (height - whole_number(picture_height * (grid_width / picture_width))) / 2;
    return {padding, 0, height - 2 * padding, width};
  }
  const int64_t padding = (width - whole_number(picture_width * (grid_height / picture_height))) / 2;
  return {0, padding, height, width - 2 * padding};
}

// Where number `place` of n samples lies between m old ones: after the first by `share` of the way to the second.
struct Sample {
  int64_t first, second;
  float share;
};

Sample sample(int64_t place, int64_t n, int64_t m) {
  const float scale = static_cast<float>(m) / static_cast<float>(n);
  const float at = std::max(0.0F, scale * (static_cast<float>(place) + 0.5F) - 0.5F);
  const int64_t first = std::min(static_cast<int64_t>(at), m - 1);
  return {first, std::min(first + 1, m - 1), at - static_cast<float>(first)};
}

}  // namespace

void Arrangement::apply(Ops& ops, const Tensor& sources, const Tensor& out) const {
  DeviceArray memory;
  for (size_t term = 0; term < (blends ? std::tuple_size_v<decltype(Row::from)> : 1); ++term) {
    std::vector<int32_t> from;
    std::vector<float> shares;
    for (const Row& row : rows) {
      from.push_back(row.from[term]);
      shares.push_back(row.share[term]);
    }
    const Tensor taken = term == 0 ? out : memory.resize(ops, {out.rows(), out.row_elements()});
    ops.gather_rows(sources, from, taken);
    if (blends) ops.scale_rows(taken, shares);
    if (term > 0) ops.add(out, taken);
  }
}

TapValue Arrangement::apply(TapValue sources, float newline) const {
  const int64_t width = sources.width;
  sources.numbers.insert(sources.numbers.end(), static_cast<size_t>(width), newline);
  TapValue value{width, std::vector<float>(rows.size() * static_cast<size_t>(width), 0.0F)};
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t term = 0; term < rows[i].from.size(); ++term)
      for (int64_t c = 0; c < width; ++c)
        value.numbers[i * static_cast<size_t>(width) + static_cast<size_t>(c)] +=
            rows[i].share[term] * sources.numbers[static_cast<size_t>(rows[i].from[term] * width + c)];
  return value;
}

// The grid of at most so many tiles that shows most of the picture's own pixels, and of those that show as many the one
// that wastes least; {0, 0} if there is none.
std::pair<int64_t, int64_t> AnyRes::best_grid(const PictureSize& size, int64_t most) const {
  const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
  std::pair<int64_t, int64_t> best{0, 0};
  int64_t most_shown = 0, least_wasted = std::numeric_limits<int64_t>::max();
  for (const auto& [down, across] : config_.grids) {
    if (down * across > most) continue;
    const int64_t grid_width = across * config_.tile_size, grid_height = down * config_.tile_size;
    const double scale = std::min(static_cast<double>(grid_width) / width, static_cast<double>(grid_height) / height);
    const int64_t pixels = static_cast<int64_t>(width * scale) * static_cast<int64_t>(height * scale);
    const int64_t shown = std::min(pixels, size.width * size.height);
    const int64_t wasted = grid_width * grid_height - shown;
    if (shown > most_shown || (shown == most_shown && wasted < least_wasted)) {
      best = {down, across};
      most_shown = shown;
      least_wasted = wasted;
    }
  }
  return best;
}

Arrangement AnyRes::arrange(int64_t n_tiles, const PictureSize& size) const {
  const int64_t side = config_.side, tile_rows = side * side;
  const auto newline = static_cast<int32_t>(n_tiles * tile_rows);
  const auto plain = [](int64_t from) {
    const auto source = static_cast<int32_t>(from);
    return Arrangement::Row{{source, source, source, source}, {1, 0, 0, 0}};
  };
  Arrangement arrangement;
  for (int64_t row = 0; row < tile_rows; ++row) arrangement.rows.push_back(plain(row));
  if (n_tiles == 1) {
    arrangement.rows.push_back(plain(newline));
    arrangement.raster = {.columns = side, .grid_first = tile_rows, .grid_columns = 1};
    return arrangement;
  }
  const std::string picture = std::to_string(size.width) + " x " + std::to_string(size.height);
  if (size.width < 1 || size.height < 1 || size.width > kMaxPictureSide || size.height > kMaxPictureSide)
    throw Error(ErrorCode::kInvalidArgument, "image_sizes hold a picture of " + picture +
                                                 " pixels; expected sides from 1 to " +
                                                 std::to_string(kMaxPictureSide));
  const auto [down, across] = best_grid(size, n_tiles - 1);
  if (n_tiles != 1 + down * across)
    throw Error(ErrorCode::kInvalidArgument, "a picture of " + picture + " pixels comes in " + std::to_string(n_tiles) +
                                                 " tiles; of no more than that, this model sees it as a whole and in " +
                                                 std::to_string(down) + " x " + std::to_string(across) +
                                                 ". Use the model folder's own preprocessor_config.json.");
  const Part part = unpad(down * side, across * side, size);
  int64_t height = part.height, width = part.width;
  if (config_.max_tiles > 0) {
    const double ratio =
        std::sqrt(static_cast<double>(height * width) / static_cast<double>(config_.max_tiles * tile_rows));
    if (ratio > kTolerated) {
      arrangement.blends = true;
      height = floor_divide(height, ratio);
      width = floor_divide(width, ratio);
      if (height < 1 || width < 1)
        throw Error(ErrorCode::kInvalidArgument, "no rows would be left of a picture of " + picture +
                                                     " pixels; crop it to a less extreme aspect ratio");
    }
  }
  // The source of a place in the grid without its padding.
  const auto source = [&, across = across](int64_t row, int64_t column) {  // clang 14 captures no parts of a binding
    const int64_t y = part.top + row, x = part.left + column;
    const int64_t tile = 1 + y / side * across + x / side;
    return static_cast<int32_t>(tile * tile_rows + y % side * side + x % side);
  };
  for (int64_t row = 0; row < height; ++row) {
    const Sample y = sample(row, height, part.height);
    for (int64_t column = 0; column < width; ++column) {
      const Sample x = sample(column, width, part.width);
      if (!arrangement.blends) {
        arrangement.rows.push_back(plain(source(row, column)));
        continue;
      }
      arrangement.rows.push_back(
          {{source(y.first, x.first), source(y.first, x.second), source(y.second, x.first), source(y.second, x.second)},
           {(1 - y.share) * (1 - x.share), (1 - y.share) * x.share, y.share * (1 - x.share), y.share * x.share}});
    }
    arrangement.rows.push_back(plain(newline));
  }
  arrangement.raster = {.columns = side, .grid_first = tile_rows, .grid_columns = width + 1};
  return arrangement;
}

}  // namespace fovea
