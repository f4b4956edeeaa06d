#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "image/preprocess.h"
#include "image/resample.h"
#include "test/check.h"
#include "test/golden.h"

namespace fovea {
namespace {

int largest_difference(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  if (a.size() != b.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

constexpr const char* kFilters[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"};

std::vector<uint8_t> resize_case(const test::Golden& golden, const Json& item, const char* filter) {
  return resize(golden.read<uint8_t>(item.required_string("name") + ".in"), item.required_int("width"),
                item.required_int("height"), item.required_int("newWidth"), item.required_int("newHeight"),
                parse_filter(filter));
}

// Compares every recorded case with one of the two references.
void check_against(const char* reference, int tolerance) {
  const test::Golden golden("resample/resample");
  int n_checked = 0;
  for (const Json& item : golden.json().required_array("resizes").array()) {
    for (const char* filter : kFilters) {
      const std::string name = item.required_string("name") + "." + filter + "." + reference;
      if (!golden.has(name)) continue;
      const int difference = largest_difference(resize_case(golden, item, filter), golden.read<uint8_t>(name));
      if (difference > tolerance) test::fail(__FILE__, __LINE__, name + ": off by " + std::to_string(difference));
      ++n_checked;
    }
  }
  CHECK(n_checked >= 40);
}

PreprocessSpec plain(const Window& window) { return {std::nullopt, Filter::kBicubic, window, {1, 1, 1}, {0, 0, 0}}; }

}  // namespace

TEST("resize: equal to torchvision's uint8 resize to the bit") { check_against("torchvision", 0); }

// Pillow's weights have up to 22 bits, ours and torch's 16 with the sign; overshoots of lanczos double the difference.
TEST("resize: at most 2/255 off Pillow") { check_against("pil", 2); }

TEST("resize: a window equals that part of the whole") {
  const test::Golden golden("resample/resample");
  const auto rgb = golden.read<uint8_t>("down.in");
  for (const char* name : kFilters) {
    const Filter filter = parse_filter(name);
    for (const auto& [width, height] : {std::pair<int64_t, int64_t>{31, 20}, {80, 90}}) {
      const std::vector<uint8_t> whole = resize(rgb, 53, 37, width, height, filter);
      const Window window{5, 3, 17, 11};
      const std::vector<uint8_t> part = resize_window(rgb, 53, 37, width, height, filter, window);
      REQUIRE(part.size() == 17 * 11 * 3);
      for (int64_t y = 0; y < window.height; ++y)
        CHECK(std::memcmp(part.data() + y * 17 * 3, whole.data() + ((y + 3) * width + 5) * 3, 17 * 3) == 0);
    }
  }
}

TEST("resize: one colour stays one colour") {
  const std::vector<uint8_t> grey(100 * 70 * 3, 201);
  for (const char* name : kFilters)
    for (const auto& [width, height] : {std::pair<int64_t, int64_t>{7, 9}, {300, 1}, {99, 71}, {100, 700}}) {
      const std::vector<uint8_t> resized = resize(grey, 100, 70, width, height, parse_filter(name));
      CHECK(std::all_of(resized.begin(), resized.end(), [](uint8_t value) { return value == 201; }));
    }
}

TEST("resize: sizes that do not fit are refused") {
  const std::vector<uint8_t> rgb(4 * 3 * 3);
  CHECK_EQ(resize(rgb, 4, 3, 2, 2, Filter::kBox).size(), size_t{12});
  for (const auto& size : {std::pair<int64_t, int64_t>{0, 3},
                           {4, -1},
                           {65536, 1},
                           {1, 65536},
                           {30000, 30000},
                           {std::numeric_limits<int64_t>::max(), 2}}) {
    CHECK_THROWS(ErrorCode::kImage, resize(rgb, size.first, size.second, 2, 2, Filter::kBox));
    CHECK_THROWS(ErrorCode::kImage, resize(rgb, 4, 3, size.first, size.second, Filter::kBox));
  }
  CHECK_THROWS(ErrorCode::kImage, resize(rgb, 4, 4, 2, 2, Filter::kBox));
  CHECK_THROWS(ErrorCode::kImage, resize(rgb, 3, 3, 2, 2, Filter::kBox));
  CHECK_THROWS(ErrorCode::kInternal, resize_window(rgb, 4, 3, 2, 2, Filter::kBox, {1, 1, 2, 1}));
  // Small before and after, but not between the two passes.
  const std::vector<uint8_t> tall(60000 * 3);
  CHECK_THROWS(ErrorCode::kImage, resize(tall, 1, 60000, 60000, 1, Filter::kBox));
  CHECK_EQ(resize(tall, 1, 60000, 1, 1, Filter::kLanczos).size(), size_t{3});
}

TEST("preprocess: equal to CLIPImageProcessor, with windows smaller and larger than the image") {
  const test::Golden golden("resample/resample");
  const Json::Array& cases = golden.json().required_array("windows").array();
  CHECK(cases.size() >= 3);
  for (const Json& item : cases) {
    const std::string& name = item.required_string("name");
    PreprocessSpec spec;
    spec.resize = {item.required_int("newWidth"), item.required_int("newHeight")};
    spec.window = {item.required_int("left"), item.required_int("top"), item.required_int("cropWidth"),
                   item.required_int("cropHeight")};
    for (size_t c = 0; c < 3; ++c) {
      const double std = item.required_array("std").array()[c].number();
      spec.scale[c] = static_cast<float>(1 / (255 * std));
      spec.offset[c] = static_cast<float>(-item.required_array("mean").array()[c].number() / std);
    }
    const std::vector<float> got =
        preprocess(golden.read<uint8_t>(name + ".in"), item.required_int("width"), item.required_int("height"), spec);
    const auto expected = golden.read<float>(name + ".out");
    REQUIRE(got.size() == expected.size());
    float largest = 0;
    for (size_t i = 0; i < got.size(); ++i) largest = std::max(largest, std::fabs(got[i] - expected[i]));
    CHECK_NEAR(largest, 0, 2e-6);  // one step of 1/255 would be more than 0.01
  }
}

TEST("preprocess: a window without a resize, outside is zero before scaling") {
  const std::vector<uint8_t> rgb = {1, 2, 3, 4, 5, 6};  // two pixels side by side
  PreprocessSpec spec = plain({-1, 0, 4, 2});
  spec.scale = {1, 10, 100};
  spec.offset = {0.5f, 0, -1};
  const std::vector<float> got = preprocess(rgb, 2, 1, spec);
  const std::vector<float> expected = {0.5f, 1.5f, 4.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f,  //
                                       0,    20,   50,   0,    0,    0,    0,    0,     //
                                       -1,   299,  599,  -1,   -1,   -1,   -1,   -1};
  CHECK(got == expected);
  const std::vector<float> outside = preprocess(rgb, 2, 1, plain({7, -9, 2, 2}));
  CHECK(outside == std::vector<float>(12, 0.0f));
}

TEST("preprocess: specs that make no sense are refused") {
  const std::vector<uint8_t> rgb(6);
  const int64_t huge = std::numeric_limits<int64_t>::max();
  for (const Window& window : {Window{0, 0, 0, 1}, Window{0, 0, 1, -1}, Window{0, 0, 65536, 1},
                               Window{0, 0, 60000, 60000}, Window{70000, 0, 1, 1}, Window{0, -70000, 1, 1},
                               Window{huge, 0, 1, 1}, Window{0, -huge - 1, 1, 1}, Window{0, 0, huge, huge}})
    CHECK_THROWS(ErrorCode::kImage, preprocess(rgb, 2, 1, plain(window)));
  CHECK_THROWS(ErrorCode::kImage, preprocess(rgb, 2, 2, plain({0, 0, 1, 1})));
  CHECK_THROWS(ErrorCode::kImage, preprocess(rgb, 0, 1, plain({0, 0, 1, 1})));
  PreprocessSpec spec = plain({0, 0, 1, 1});
  spec.resize = {0, 1};
  CHECK_THROWS(ErrorCode::kImage, preprocess(rgb, 2, 1, spec));
  spec = plain({0, 0, 1, 1});
  spec.scale[1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS(ErrorCode::kInvalidArgument, preprocess(rgb, 2, 1, spec));
  CHECK_THROWS(ErrorCode::kInvalidArgument, parse_filter("cubic"));
  CHECK(parse_filter("lanczos") == Filter::kLanczos);
}

}  // namespace fovea
