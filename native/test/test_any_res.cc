// The arrangement of a picture's tiles against numbers that transformers gives, and against a second formula.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/projector/any_res.h"
#include "test/check.h"
#include "test/stage_test.h"

namespace fovea::test {
namespace {

AnyRes any_res(AnyResConfig config) { return {std::move(config), DeviceArray()}; }

// The first source of every row; -1: the newline.
std::vector<int32_t> sources(const Arrangement& arrangement, int64_t n_tiles, int64_t tile_rows) {
  std::vector<int32_t> from;
  for (const Arrangement::Row& row : arrangement.rows)
    from.push_back(row.from[0] == n_tiles * tile_rows ? -1 : row.from[0]);
  return from;
}

const std::vector<std::pair<int64_t, int64_t>> kNextGrids = {{1, 2}, {2, 1}, {2, 2}, {3, 1}, {1, 3}};

}  // namespace

TEST("AnyRes: the whole, then the tiles' lines as one, without padding, a newline behind each") {
  // Two tiles side by side of 2 x 2 rows, for a picture that fills the grid.
  const Arrangement full = any_res({{{1, 2}}, 10, 2, 0}).arrange(3, {200, 100});
  CHECK(sources(full, 3, 4) == (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 8, 9, -1, 6, 7, 10, 11, -1}));
  CHECK(!full.blends);
  CHECK_EQ(full.raster.columns, 2);
  CHECK_EQ(full.raster.grid_first, 4);
  CHECK_EQ(full.raster.grid_columns, 5);
  // A square picture fills half of it: one row of each tile is padding.
  const Arrangement half = any_res({{{1, 2}}, 10, 2, 0}).arrange(3, {100, 100});
  CHECK(sources(half, 3, 4) == (std::vector<int32_t>{0, 1, 2, 3, 5, 8, -1, 7, 10, -1}));
}

TEST("AnyRes: a picture that is seen as a whole only ends with one newline") {
  const Arrangement whole = any_res({kNextGrids, 10, 2, 9}).arrange(1, {0, 0});
  CHECK(sources(whole, 1, 4) == (std::vector<int32_t>{0, 1, 2, 3, -1}));
  CHECK_EQ(any_res({kNextGrids, 10, 2, 9}).whole_rows(), 5);
}

// LlavaNextProcessor._get_number_of_features at 336 pixels, 24 rows a side, less the class row; and
// LlavaOnevisionProcessor's at 384 pixels, 27 rows a side, anyres_max_9.
TEST("AnyRes: as many rows as transformers' processors write, at the sizes of published models") {
  const AnyRes next = any_res({kNextGrids, 336, 24, 0});
  const auto rows = [](const AnyRes& model, int64_t n_tiles, const PictureSize& size) {
    return std::ssize(model.arrange(n_tiles, size).rows);
  };
  CHECK_EQ(rows(next, 5, {640, 480}), 2340);
  CHECK_EQ(rows(next, 5, {1000, 1000}), 2928);
  CHECK_EQ(rows(next, 4, {2000, 300}), 1306);
  CHECK_EQ(rows(next, 4, {333, 1999}), 1512);
  CHECK_EQ(rows(next, 3, {1000, 1000}), 1176);  // held to two tiles and the whole
  std::vector<std::pair<int64_t, int64_t>> grids;
  for (int64_t down = 1; down <= 6; ++down)
    for (int64_t across = 1; across <= 6; ++across) grids.emplace_back(down, across);
  const AnyRes one = any_res({grids, 384, 27, 9});
  CHECK_EQ(rows(one, 5, {640, 480}), 2929);
  CHECK_EQ(rows(one, 31, {4000, 3000}), 7309);
  CHECK_EQ(rows(one, 7, {2000, 300}), 4804);
}

TEST("AnyRes: a grid that is too large is scaled down, in proportion and without a seam") {
  // Rows that hold their own place: bilinear samples of a plane are the plane itself.
  const int64_t side = 4, across = 3, down = 3;
  const Arrangement scaled = any_res({{{down, across}}, 10, side, 1}).arrange(1 + down * across, {300, 300});
  CHECK(scaled.blends);
  const int64_t tile_rows = side * side, width = scaled.raster.grid_columns - 1;
  TapValue places{2, {}};
  for (int64_t tile = 0; tile <= down * across; ++tile)
    for (int64_t row = 0; row < tile_rows; ++row) {
      const int64_t first = std::max<int64_t>(0, tile - 1);
      places.numbers.push_back(static_cast<float>(first / across * side + row / side));
      places.numbers.push_back(static_cast<float>(first % across * side + row % side));
    }
  const TapValue at = scaled.apply(places, 7);
  CHECK_EQ(width, 4);  // sqrt(144 / 16) = 3: a third along each side
  CHECK_EQ(std::ssize(scaled.rows), tile_rows + width * (width + 1));
  for (int64_t y = 0; y < width; ++y)
    for (int64_t x = 0; x <= width; ++x) {
      const auto i = static_cast<size_t>(2 * (tile_rows + y * (width + 1) + x));
      CHECK_NEAR(at.numbers[i], x == width ? 7 : 3 * (static_cast<float>(y) + 0.5F) - 0.5F, 1e-5);
      CHECK_NEAR(at.numbers[i + 1], x == width ? 7 : 3 * (static_cast<float>(x) + 0.5F) - 0.5F, 1e-5);
    }
}

TEST("AnyRes: steps that look at the picture's plane treat the whole and the grid each on its own") {
  const auto ops = make_cpu_ops(1, "auto");
  const auto kept = [&](const std::string& steps) {
    TestStream input(*ops, 4, {{12, {{1, 10}}}});
    FakeSource source;
    source.in_picture = {.columns = 2, .grid_first = 4, .grid_columns = 3};  // 2 x 2 rows, then 2 lines of 3
    return run_stages(*ops, input.stream, source, R"({"name":"s","hook":"projected","steps":[)" + steps + "]}");
  };
  const std::string gather = R"(,{"do":"gather","rows":"k"})";
  const std::vector<std::vector<int32_t>> corners = {{0, 4, 6}};
  CHECK(kept(R"({"do":"select","by":"grid","stride":2,"to":"k"})" + gather) == corners);
  CHECK(kept(R"({"do":"merge","by":"cells","side":2,"reduce":"mean","to":"k"})" + gather) == corners);
}

TEST("AnyRes: refuses other tiles than the picture has, and pictures that are none") {
  const AnyRes next = any_res({kNextGrids, 336, 24, 0});
  CHECK_THROWS(ErrorCode::kInvalidArgument, next.arrange(4, {640, 480}));
  CHECK_THROWS(ErrorCode::kInvalidArgument, next.arrange(5, {0, 480}));
  CHECK_THROWS(ErrorCode::kInvalidArgument, next.arrange(5, {640, -1}));
  CHECK_THROWS(ErrorCode::kInvalidArgument, next.arrange(5, {int64_t{1} << 40, 480}));
  // 2 x 600 rows where one tile's 4 are allowed: no line of the grid would be left.
  CHECK_THROWS(ErrorCode::kInvalidArgument, any_res({{{1, 300}}, 10, 2, 1}).arrange(301, {3000, 10}));
}

}  // namespace fovea::test
