// Steps of stages inside the decoder: rows that run past a layer, all-or-none choices, what learned weights say of
// rows, and choices among rows of text.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "test/features.h"
#include "test/stage_test.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

struct Weight {
  std::string name, shape;  // shape as JSON
  std::vector<float> values;
};

// A safetensors file that disappears with the test.
struct WeightFile {
  fs::path path = fs::temp_directory_path() / "fovea_test_decoder_steps.safetensors";

  explicit WeightFile(const std::vector<Weight>& weights) {
    std::string header, data;
    for (const Weight& weight : weights) {
      const size_t begin = data.size();
      data.append(reinterpret_cast<const char*>(weight.values.data()), weight.values.size() * sizeof(float));
      header += (header.empty() ? "{\"" : ",\"") + weight.name + R"(":{"dtype":"F32","shape":)" + weight.shape +
                R"(,"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    header += "}";
    uint64_t size = header.size();
    std::string bytes(sizeof size, '\0');
    std::memcpy(bytes.data(), &size, sizeof size);
    std::ofstream(path, std::ios::binary) << bytes << header << data;
  }
  ~WeightFile() { fs::remove(path); }
  std::string json() const { return R"("file":")" + path.generic_string() + "\""; }
};

std::string stage(const std::string& steps, const std::string& more = "") {
  return R"({"name":"s","hook":"decoder-layer","layer":2)" + more + R"(,"steps":[)" + steps + "]}";
}
const std::string kGather = R"(,{"do":"gather","rows":"k"})";

// Rows of a prompt in the plane at decoder layer 2.
struct AtLayer {
  std::unique_ptr<Ops> ops = make_cpu_ops(1, "auto");
  PlanFiles files{*ops};
  TestStream input;
  FakeSource source;

  AtLayer(const std::vector<float>& rows, const std::vector<TestStream::Image>& images)
      : input(*ops, 2, {{static_cast<int64_t>(rows.size()) / 2, images}}) {
    ops->copy_from_host(rows.data(), input.stream.hidden);
  }
  // What stayed of each image.
  std::vector<Rows> run(const std::string& stages) {
    const LoweredPlan plan = plan_of_stages(stages, {8, 6, 2, &files});
    std::vector<Rows> kept;
    for (const PlanStage& one : plan.stages) {
      kept.clear();
      const StageReport report = run_stage(*ops, one, input.stream, 0, source, true);
      for (const StageReport::Image& image : report.images) kept.push_back(image.kept);
      if (report.text) kept = {report.text->kept};
    }
    return kept;
  }
  void check_refused(const std::string& stages) { CHECK_THROWS(ErrorCode::kPlan, run(stages)); }
};

// Six rows: one of text, two images of two rows each, one of text.
const std::vector<float> kSix = {0, 1, 1, 0, 2, 0, 3, 0, 4, 0, 0, -1};
const std::vector<TestStream::Image> kTwoImages = {{1, 2}, {3, 2}};

std::string linear(const WeightFile& file, double gain, double offset) {
  return R"({"do":"score","by":"linear",)" + file.json() + R"(,"weight":"w","bias":"b","gain":)" +
         std::to_string(gain) + R"(,"offset":)" + std::to_string(offset) + R"(,"to":"s"})";
}
std::string top(int64_t count) {
  return R"({"do":"select","by":"topK","score":"s","keep":{"count":)" + std::to_string(count) +
         R"(,"of":"stage","rounding":"trunc"},"to":"k"})";
}

}  // namespace

TEST("score linear: gain tanh(w x + b) + offset, and bypass hands it to the layer") {
  const WeightFile file({{"w", "[1,2]", {0.5F, 9}}, {"b", "[1]", {-1}}});
  AtLayer at(kSix, kTwoImages);
  at.run(stage(linear(file, 0.2, 1) + "," + top(1) + R"(,{"do":"bypass","rows":"k","gain":"s"})"));
  const auto score = [](double x) { return static_cast<float>(0.2 * std::tanh(0.5 * x - 1) + 1); };
  CHECK(at.input.stream.gains == (std::vector<float>{1, score(1), score(2), score(3), score(4), 1}));
  // The better row of each image runs, and so does text.
  CHECK(at.input.stream.bypass == (std::vector<uint8_t>{0, 1, 0, 1, 0, 0}));
}

TEST("score linear: files that do not fit or hold NaN are the plan's fault") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<Weight>& weights : std::vector<std::vector<Weight>>{
           {{"w", "[3]", {1, 2, 3}}, {"b", "[1]", {0}}},
           {{"w", "[2]", {1, 2}}},
           {{"w", "[2]", {1, nan}}, {"b", "[1]", {0}}},
           {{"w", "[2]", {1, 2}}, {"b", "[2]", {0, 0}}},
       }) {
    const WeightFile file(weights);
    AtLayer(kSix, kTwoImages).check_refused(stage(linear(file, 1, 0) + "," + top(1) + kGather));
  }
}

TEST("select mass: the scores of all images together decide") {
  const WeightFile file({{"w", "[2]", {0, 0}}, {"b", "[1]", {0}}});
  const auto mass = [&](const char* least) {  // every score is 0.25: 1 in all
    return stage(linear(file, 1, 0.25) + R"(,{"do":"select","by":"mass","score":"s","atLeast":)" + least +
                 R"(,"to":"k"})" + kGather);
  };
  CHECK(AtLayer(kSix, kTwoImages).run(mass("1")) == (std::vector<Rows>{{0, 1}, {0, 1}}));
  CHECK(AtLayer(kSix, kTwoImages).run(mass("1.001")) == (std::vector<Rows>{{}, {}}));
  const std::string none = R"({"do":"select","by":"none","to":"k"})";
  CHECK(AtLayer(kSix, kTwoImages).run(stage(none + kGather)) == (std::vector<Rows>{{}, {}}));
}

TEST("select classifier: two classes of the text behind the last image") {
  // The hidden unit is gelu of x of the rows between + y of the last row; logits are (0, unit).
  const WeightFile file({{"w1", "[1,4]", {1, 0, 0, 1}}, {"w2", "[2,1]", {0, 1}}});
  const std::string step =
      stage(R"({"do":"select","by":"classifier",)" + file.json() + R"(,"weights":["w1","w2"],"to":"k"})" + kGather);
  const auto prompt = [](float middle, float last) {
    return std::vector<float>{9, 9, 1, 0, 2, 0, middle, 0, 3 * middle, 0, 0, last};
  };
  const std::vector<TestStream::Image> image = {{1, 2}};
  CHECK(AtLayer(prompt(1, 1), image).run(step) == (std::vector<Rows>{{}}));       // 2 + 1: the rows go
  CHECK(AtLayer(prompt(1, -3), image).run(step) == (std::vector<Rows>{{0, 1}}));  // 2 - 3
  CHECK(AtLayer(prompt(-0.25F, 1), image).run(step) == (std::vector<Rows>{{}}));  // -0.5 + 1
  // Nothing between the image and the last row: that row twice.
  CHECK(AtLayer({1, 0, 2, 0, -2, 1}, {{0, 2}}).run(step) == (std::vector<Rows>{{0, 1}}));  // -2 + 1
  for (const std::vector<Weight>& weights : std::vector<std::vector<Weight>>{
           {{"w1", "[1,3]", {1, 0, 0}}, {"w2", "[2,1]", {0, 1}}},
           {{"w1", "[1,4]", {1, 0, 0, 1}}, {"w2", "[1,2]", {0, 1}}},
           {{"w2", "[2,1]", {0, 1}}},
           {{"w1", "[1,4]", {1, 0, 0, std::numeric_limits<float>::infinity()}}, {"w2", "[2,1]", {0, 1}}},
       }) {
    const WeightFile damaged(weights);
    AtLayer(prompt(1, 1), image)
        .check_refused(stage(R"({"do":"select","by":"classifier",)" + damaged.json() +
                             R"(,"weights":["w1","w2"],"to":"k"})" + kGather));
  }
}

TEST("select learned: a threshold that the image's own scores set") {
  // Scores are the layer's mean logits. The chain is the identity, so the threshold is sigmoid(mean score).
  const WeightFile file({{"l.weight", "[1,1]", {1}}, {"l.bias", "[1]", {0}}});
  const auto learned = [&](const std::string& more) {
    return R"({"do":"score","by":"logits","to":"s"},{"do":"select","by":"learned","of":["s"],)" + file.json() +
           R"(,"chain":["l"])" + more + R"(,"to":"k"})";
  };
  const auto run = [&](const std::vector<float>& scores, const std::string& steps) {
    AtLayer at({0, 1, 1, 0, 2, 0, 3, 0, 0, 1}, {{1, 3}});
    at.source.logits = [&](std::span<const int32_t> rows) {
      CHECK((Rows(rows.begin(), rows.end()) == Rows{1, 2, 3}));
      return scores;
    };
    return at.run(stage(steps + kGather));
  };
  // Mean 0: the threshold is a half.
  CHECK(run({0.4F, 0.6F, -1}, learned("")) == (std::vector<Rows>{{1}}));
  CHECK(run({0.4F, 0.3F, -0.7F}, learned("")) == (std::vector<Rows>{{0}}));  // none passes: the best
  CHECK(run({0.4F, 0.3F, -0.7F}, learned(R"(,"atLeast":2)")) == (std::vector<Rows>{{0, 1}}));
  CHECK(run({0.4F, 0.3F, -0.7F}, learned(R"(,"atLeast":0)")) == (std::vector<Rows>{{}}));
  // With rows, their one value passes or not.
  const auto spread = [&](const char* value) {
    return top(2) + "," + learned(std::string(R"(,"rows":"k","value":)") + value);
  };
  const std::string logits = R"({"do":"score","by":"logits","to":"s"},)";
  CHECK(run({0.5F, -1, 0.5F}, logits + spread("0.6")) == (std::vector<Rows>{{0, 2}}));
  CHECK(run({0.5F, -1, 0.5F}, logits + spread("0.5")) == (std::vector<Rows>{{}}));
}

TEST("select edges and tokens: rows of text that stay whatever they say") {
  const auto over_text = [](const std::string& step) { return stage(step + kGather, R"(,"over":"text")"); };
  // Rows of text are 0, 1, 4, 5, 6 of the prompt.
  const std::vector<float> rows(14, 1.0F);
  const std::vector<TestStream::Image> image = {{2, 2}};
  CHECK(AtLayer(rows, image).run(over_text(R"({"do":"select","by":"edges","first":1,"last":2,"to":"k"})")) ==
        (std::vector<Rows>{{0, 5, 6}}));
  AtLayer at(rows, image);
  at.source.tokens = {7, 8, 99, 99, 8, 9, 7};
  CHECK(at.run(over_text(R"({"do":"select","by":"tokens","ids":[8,9,99],"to":"k"})")) ==
        (std::vector<Rows>{{1, 4, 5}}));
  AtLayer(rows, image).check_refused(over_text(R"({"do":"select","by":"edges","first":0,"last":0,"to":"k"})"));
  AtLayer(rows, image).check_refused(stage(R"({"do":"select","by":"edges","first":0,"last":1,"to":"k"})" + kGather));
  AtLayer(rows, image).check_refused(over_text(R"({"do":"select","by":"tokens","ids":["a"],"to":"k"})"));
}

TEST("decoder steps are refused where there is no decoder layer") {
  for (const char* step : {R"({"do":"score","by":"logits","to":"s"})",
                           R"({"do":"select","by":"none","to":"k"},{"do":"bypass","rows":"k","gain":"k"})"})
    AtLayer(kSix, kTwoImages).check_refused(R"({"name":"s","hook":"projected","steps":[)" + std::string(step) + "]}");
}

}  // namespace fovea::test
