// M-RoPE: where rows of pictures stand, what compaction leaves of that, and which frequency turns with what.
#include "io/json.h"
#include "model/decoder/rope_axes.h"
#include "prune/gather.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

using Places = std::vector<Position>;

// Two words, a picture of 2 x 3, a word, a picture of 3 x 1, a word: positions as get_rope_index of transformers makes
// them, behind another prompt of two words.
struct Grids {
  std::unique_ptr<Ops> ops = make_cpu_ops(1, "auto");
  TestStream made{*ops, 4, {{2, {}}, {13, {{2, 6}, {9, 3}}}}};
  RowStream& stream = made.stream;

  Grids() {
    stream.on_grids = true;
    stream.positions = {0,         1,  // the other prompt
                        0,         1, {2, 2, 2}, {2, 2, 3}, {2, 2, 4}, {2, 3, 2}, {2, 3, 3},
                        {2, 3, 4}, 5, {6, 6, 6}, {6, 7, 6}, {6, 8, 6}, 9};
    stream.sequences[1].spans[0].start = 2;
    stream.sequences[1].spans[1].start = 6;
  }
};

std::vector<Axis> axes_of(const std::string& config, bool interleaved = false) {
  return rope_axes(parse_json(config, "config.json"), 16, {{2, 3, 3}, interleaved});
}

// A word, a video of three moments of 2 x 1 that are 5 apart in time, two words.
struct Video {
  std::unique_ptr<Ops> ops = make_cpu_ops(1, "auto");
  TestStream made{*ops, 4, {{9, {{1, 6}}}}};
  RowStream& stream = made.stream;

  Video() {
    stream.on_grids = true;
    stream.positions = {0, {1, 1, 1}, {1, 2, 1}, {6, 1, 1}, {6, 2, 1}, {11, 1, 1}, {11, 2, 1}, 3, 4};
    stream.sequences[0].spans[0].start = 1;
  }
};

}  // namespace

TEST("Text behind a video stands one beyond it across the picture, the next token one beyond it in time") {
  Video video;
  const Places before = video.stream.positions;
  compact_positions(video.stream, video.stream.sequences[0]);
  CHECK(video.stream.positions == before);
  CHECK_EQ(next_position(before), 12);
  CHECK_EQ(next_text_position(std::span(before).first(7)), 3);
  // The word before it stays, the first moment goes, and of the others the lower rows.
  gather(*video.ops, video.stream, 0, std::vector<std::vector<int32_t>>{{2, 4}}, Positions::kCompact);
  CHECK(video.stream.positions == Places({0, {6, 1, 1}, {11, 1, 1}, 2, 3}));
  CHECK_EQ(video.stream.sequences[0].spans[0].start, 1);
}

TEST("On grids, compaction renumbers nothing where nothing left") {
  Grids grids;
  const Places before = grids.stream.positions;
  for (Sequence& sequence : grids.stream.sequences) compact_positions(grids.stream, sequence);
  CHECK(grids.stream.positions == before);
}

TEST("On grids, compaction keeps rows at their places in the picture and moves what is behind a gap") {
  Grids grids;
  // The first picture loses its last column and its upper left corner, the second its first two rows.
  gather(*grids.ops, grids.stream, 1, std::vector<std::vector<int32_t>>{{1, 3, 4}, {2}}, Positions::kCompact);
  const Places expected = {0, 1, 0, 1, {2, 2, 3}, {2, 3, 2}, {2, 3, 3}, 4, {5, 7, 5}, 8};
  CHECK(grids.stream.positions == expected);
  // Again, and the whole second picture goes: the text closes up.
  gather(*grids.ops, grids.stream, 1, std::vector<std::vector<int32_t>>{{1}, {}}, Positions::kCompact);
  CHECK(grids.stream.positions == Places({0, 1, 0, 1, {2, 3, 2}, 4, 5}));
}

TEST("On grids, original positions stay, and the next row is beyond all of them") {
  Grids grids;
  gather(*grids.ops, grids.stream, 1, std::vector<std::vector<int32_t>>{{1}, {2}}, Positions::kOriginal);
  CHECK(grids.stream.positions == Places({0, 1, 0, 1, {2, 2, 3}, 5, {6, 8, 6}, 9}));
  CHECK_EQ(next_position(grids.stream.positions), 10);
  CHECK_EQ(next_position(std::span(grids.stream.positions).first(7)), 9);  // a prompt that ends with its picture
  CHECK_EQ(next_position({}), 0);
}

TEST("gather moves what decoder layers add along with the rows") {
  Grids grids;
  DeviceArray memory;
  grids.stream.planes = memory.resize(*grids.ops, {15, 2});
  std::vector<float> numbers;
  for (int row = 0; row < 15; ++row) numbers.insert(numbers.end(), {static_cast<float>(row), -static_cast<float>(row)});
  grids.ops->copy_from_host(numbers.data(), grids.stream.planes);
  gather(*grids.ops, grids.stream, 1, std::vector<std::vector<int32_t>>{{1, 5}, {}}, Positions::kOriginal);
  const std::vector<float> expected = {0, 0, 1, -1, 2, -2, 3, -3, 5, -5, 9, -9, 10, -10, 14, -14};
  CHECK(on_host(*grids.ops, grids.stream.planes) == expected);
}

TEST("rope_axes: one section after another, or in turns, in both spellings") {
  constexpr Axis t = Axis::kTime, h = Axis::kHeight, w = Axis::kWidth;
  CHECK(axes_of("{}") == std::vector<Axis>({t, t, h, h, h, w, w, w}));
  CHECK(axes_of(R"({"rope_scaling":{"type":"mrope","mrope_section":[4,3,1]}})") ==
        std::vector<Axis>({t, t, t, t, h, h, h, w}));
  CHECK(axes_of(R"({"rope_parameters":{"mrope_section":[0,8,0]}})") == std::vector<Axis>(8, h));
  CHECK(axes_of(R"({"rope_parameters":{"mrope_section":[4,2,2]}})", true) ==
        std::vector<Axis>({t, h, w, t, h, w, t, t}));
  for (const char* sections : {"[4,3]", "[4,3,2]", "[9,0,-1]", "[4,3.5,0.5]", "[4,\"3\",1]", "8", "[]"})
    CHECK_THROWS(ErrorCode::kModelFormat,
                 axes_of(R"({"rope_parameters":{"mrope_section":)" + std::string(sections) + "}}"));
}

}  // namespace fovea::test
