// Qwen-VL towers beside what test/golden/qwen-vl.test.ts compares with transformers: passes, windows, positions.
#include <cmath>

#include "engine/forward_pass.h"
#include "engine/image_cache.h"
#include "engine/prompt.h"
#include "model/vision/interpolate_positions.h"
#include "test/check.h"
#include "test/golden.h"
#include "test/numbers.h"
#include "test/tiny_decoder.h"
#include "test/variants.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;
constexpr const char* kFamilies[] = {"../qwen_vl/qwen2_vl", "../qwen_vl/qwen2_5_vl", "../qwen_vl/qwen3_vl"};

struct NoStages final : TowerHook {
  void embedded(RowStream&, const Tensor&) override {}
  void after_attention(int, RowStream&, const TowerAttention&) override {}
};

ImageInput random_picture(int64_t width, int64_t height, uint64_t seed) {
  ImageInput image{std::vector<float>(static_cast<size_t>(3 * width * height)), width, height};
  Random random(seed);
  for (float& pixel : image.pixels) pixel = random.uniform() * 2;
  return image;
}

// Two pictures of different sizes between words.
ForwardRequest two_pictures(const Model& model) {
  ForwardRequest request;
  request.batch = 1;
  request.images = {random_picture(40, 24, 1), random_picture(16, 24, 2)};
  request.input_ids = {5, 6};
  request.input_ids.insert(request.input_ids.end(), 15, model.image_token);
  request.input_ids.push_back(7);
  request.input_ids.insert(request.input_ids.end(), 6, model.image_token);
  request.input_ids.insert(request.input_ids.end(), {8, 9});
  request.attention_mask.assign(request.input_ids.size(), 1);
  return request;
}

std::string projected(const std::string& steps) {
  return R"({"positions":"compact","skip":[],"stages":[{"name":"s","hook":"projected","steps":[)" + steps + "]}]}";
}

}  // namespace

TEST("QwenTower: images in one pass equal each one alone, bit for bit; a pass stops when cancelled") {
  for (const char* name : kFamilies) {
    const auto model = load_variant(name);
    constexpr int64_t kWidth = 40, kHeight = 24, kRows = 60;
    CHECK_EQ(model->tower->rows_of(kWidth, kHeight), kRows);
    const int64_t d = model->tower->d_features();
    std::vector<float> pixels;
    for (uint64_t seed = 1; seed < 4; ++seed) {
      const ImageInput image = random_picture(kWidth, kHeight, seed);
      pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    const Tensor batch(pixels.data(), DType::kF32, Device::kCpu, {3, 3, kHeight, kWidth});
    DeviceArray together, alone;
    NoStages no_stages;
    std::vector<std::vector<int32_t>> kept;
    CHECK(model->tower->forward(batch, no_stages, together.resize(*model->ops, {3 * kRows, d}), kept, kNever));
    for (int64_t i = 0; i < 3; ++i) {
      CHECK(model->tower->forward(batch.slice(i, 1), no_stages, alone.resize(*model->ops, {kRows, d}), kept, kNever));
      CHECK(same_floats(on_host(*model->ops, alone.view()),
                        on_host(*model->ops, together.view().slice(i * kRows, kRows))));
    }
    const std::atomic<bool> cancelled = true;
    CHECK(!model->tower->forward(batch, no_stages, together.resize(*model->ops, {3 * kRows, d}), kept, cancelled));
  }
}

TEST("Qwen-VL loads in every dtype, and a batch of prompts with two pictures equals each alone, bit for bit") {
  for (const char* name : kFamilies)
    for (const char* dtype : {"auto", "f32", "bf16", "f16"}) {
      const auto model = load_variant(name, dtype);
      ImageCache cache(0);
      ForwardRequest request = two_pictures(*model);
      const ForwardReport alone = forward_pass(*model, cache, request, {}, kNever);
      ForwardRequest batch = request;
      batch.batch = 2;
      batch.input_ids.insert(batch.input_ids.end(), request.input_ids.begin(), request.input_ids.end());
      batch.attention_mask.insert(batch.attention_mask.end(), request.attention_mask.begin(),
                                  request.attention_mask.end());
      batch.images.insert(batch.images.end(), request.images.begin(), request.images.end());
      const ForwardReport twice = forward_pass(*model, cache, batch, {}, kNever);
      std::vector<float> expected = alone.logits.data;
      expected.insert(expected.end(), alone.logits.data.begin(), alone.logits.data.end());
      CHECK(same_floats(twice.logits.data, expected));
      CHECK(std::all_of(expected.begin(), expected.end(), [](float x) { return std::isfinite(x); }));
    }
}

TEST("Qwen2.5-VL: what a layer of windows attends to is refused by its number, what a full one does is noted") {
  const auto model = load_variant("../qwen_vl/qwen2_5_vl");
  const auto run = [&](const std::string& tap) {
    ForwardRequest request = two_pictures(*model);
    request.plan =
        projected(tap + R"(,{"do":"select","by":"topK","score":"a","to":"k","keep":{"ratio":0.5,"of":"stage",)"
                        R"("rounding":"trunc"}},{"do":"gather","rows":"k"})");
    ImageCache cache(0);
    return forward_pass(*model, cache, request, {}, kNever).stages[0][0];
  };
  const auto tap = [](const char* of, int layer) {
    return R"({"do":"tap","of":")" + std::string(of) + R"(","to":"a","layer":)" + std::to_string(layer) + "}";
  };
  for (const int layer : {-1, -3}) {
    const StageReport report = run(tap("columnAttention", layer));
    CHECK_EQ(report.images[0].rows_out, 7);
    CHECK_EQ(report.images[1].rows_out, 3);
  }
  for (const int layer : {-2, -4}) CHECK_THROWS(ErrorCode::kPlan, run(tap("columnAttention", layer)));
  CHECK_THROWS(ErrorCode::kPlan, run(tap("classAttention", -1)));
}

TEST("Qwen-VL: rows of a video stand where transformers puts them") {
  for (const std::string name : {"qwen2_vl", "qwen2_5_vl", "qwen3_vl"}) {
    const Golden golden("video/" + name);
    const auto model = load_variant("../qwen_vl/" + name);
    const auto ids = golden.read<int32_t>("usual.input_ids"), grid = golden.read<int32_t>("usual.grid");
    const auto expected = golden.read<int32_t>("usual.positions");  // (3, n)
    const bool apart = name == "qwen3_vl";                          // a moment is an image
    std::vector<ImageInput> images;
    for (int i = 0; i < (apart ? grid[0] : 1); ++i) {
      ImageInput image = random_picture(grid[2] * 4, grid[1] * 4 * (apart ? 2 : 2 * grid[0]), 1);
      image.height = grid[1] * 4;
      image.frames = apart ? 2 : 2 * grid[0];
      image.seconds = 0.2;
      images.push_back(std::move(image));
    }
    ImageCache cache(0);
    ImageRows rows;
    CHECK(rows.encode(*model, images, {}, false, cache, kNever, false));
    DeviceArray hidden, planes;
    const auto n = std::ssize(ids);
    RowStream stream;
    append_sequence(*model, ids, rows, 0, Positions::kOriginal,
                    hidden.resize(*model->ops, {n, model->decoder->config().d_model}), plane_memory(*model, n, planes),
                    stream);
    REQUIRE(std::ssize(stream.positions) == n && std::ssize(expected) == 3 * n);
    for (int64_t row = 0; row < n; ++row) {
      const auto at = static_cast<size_t>(row), count = static_cast<size_t>(n);
      CHECK(stream.positions[at] == Position(expected[at], expected[count + at], expected[2 * count + at]));
    }
    images[0].seconds = 1e9;
    if (name == "qwen2_5_vl")
      CHECK_THROWS(ErrorCode::kInvalidArgument, ImageRows().encode(*model, images, {}, false, cache, kNever, false));
    images[0].frames = 3;
    CHECK_THROWS(ErrorCode::kInvalidArgument, ImageRows().encode(*model, images, {}, false, cache, kNever, false));
  }
}

TEST("stretch_positions: corners on corners, linear between them") {
  const std::vector<float> table = {0, 10, 20, 30};  // 2 x 2
  CHECK(stretch_positions(table, 2, 2, 2) == table);
  CHECK(stretch_positions(table, 2, 3, 3) == std::vector<float>({0, 5, 10, 10, 15, 20, 20, 25, 30}));
  CHECK(stretch_positions(table, 2, 1, 2) == std::vector<float>({0, 10}));  // a line is the first one
}

}  // namespace fovea::test
