// Stages of score, normalise, combine, features, text and select steps, as lowered plans have them.
#include <string>

#include "prune/plan.h"
#include "test/check.h"
#include "test/features.h"
#include "test/stage_test.h"

namespace fovea::test {
namespace {

std::string stage(const std::string& steps, const std::string& hook = "projected") {
  return R"({"name":"s","hook":")" + hook + R"(","steps":[)" + steps + R"(,{"do":"gather","rows":"k"}]})";
}
std::string keep(int64_t count) {
  return R"("keep":{"count":)" + std::to_string(count) + R"(,"of":"stage","rounding":"trunc"},"to":"k")";
}
std::string top(const std::string& score, int64_t count) {
  return R"({"do":"select","by":"topK","score":")" + score + R"(",)" + keep(count) + "}";
}

// Rows of text around one or two images, all in the plane: row i of the sequence is features[2 i].
struct Planted {
  std::unique_ptr<Ops> ops = make_cpu_ops(1, "auto");
  TestStream input;
  FakeSource source;
  Planted(const std::vector<float>& rows, const std::vector<TestStream::Image>& images)
      : input(*ops, 2, {{static_cast<int64_t>(rows.size()) / 2, images}}) {
    ops->copy_from_host(rows.data(), input.stream.hidden);
  }
  std::vector<Rows> run(const std::string& steps) { return run_stages(*ops, input.stream, source, stage(steps)); }
};

void check_refused(const std::string& steps, const std::string& hook = "projected") {
  try {
    plan_of_stages(stage(steps, hook));
    fail(__FILE__, __LINE__, "accepted: " + steps);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kPlan);
  }
}

}  // namespace

TEST("steps: cosine with the mean of the text") {
  // Text at 0 and 90 degrees, so its mean is at 45; the image at 30, 80, 200, 50.
  const std::vector<float> rows = at_angles({0, 30, 80, 200, 50, 90});
  const std::string text = R"({"do":"text","rows":"text","take":"mean","to":"t"},)";
  const auto score = [](const std::string& sign) {
    return R"({"do":"score","by":"cosine","features":"hidden","vectors":"t","sign":)" + sign + R"(,"to":"s"},)";
  };
  CHECK(Planted(rows, {{1, 4}}).run(text + score("1") + top("s", 2)) == (std::vector<Rows>{{0, 3}}));
  CHECK(Planted(rows, {{1, 4}}).run(text + score("-1") + top("s", 2)) == (std::vector<Rows>{{1, 2}}));
  // textAfter: at 90 alone. Two images, each with its own rows; no text behind the last: all of it.
  const std::string after = R"({"do":"text","rows":"textAfter","take":"mean","to":"t"},)";
  CHECK(Planted(rows, {{1, 4}}).run(after + score("1") + top("s", 1)) == (std::vector<Rows>{{1}}));
  CHECK(Planted(rows, {{1, 2}, {3, 2}}).run(after + score("1") + top("s", 1)) == (std::vector<Rows>{{1}, {1}}));
  CHECK(Planted(rows, {{1, 5}}).run(after + score("1") + top("s", 1)) == (std::vector<Rows>{{0}}));
}

TEST("steps: a stage that needs text refuses a prompt without any") {
  Planted bare(at_angles({0, 30, 80}), {{0, 3}});
  CHECK_THROWS(ErrorCode::kPlan,
               bare.run(R"({"do":"text","rows":"text","take":"mean","to":"t"},)"
                        R"({"do":"score","by":"cosine","features":"hidden","vectors":"t","to":"s"},)" +
                        top("s", 1)));
}

TEST("steps: the longest rows of text guide pivots") {
  // Text: lengths 1, 3, 2 at 0, 90, 180 degrees behind the image.
  std::vector<float> rows = at_angles({0, 45, 90, 135, 0, 90, 180});
  for (size_t i : {10, 11}) rows[i] *= 3;
  for (size_t i : {12, 13}) rows[i] *= 2;
  for (size_t i : {0, 1}) rows[i] *= 9;  // row 0 of the image is the pivot
  const auto guided = [&](int64_t count, int64_t kept) {
    return R"({"do":"text","rows":"textAfter","take":"longest","count":)" + std::to_string(count) +
           R"(,"to":"t"},{"do":"score","by":"norm","p":1,"features":"hidden","to":"n"},)"
           R"({"do":"select","by":"pivots","features":"hidden","score":"n","pivots":1,"vectors":"t",)" +
           keep(kept) + "}";
  };
  // Farthest from row 0: row 3. Then farthest from the text at 90 degrees, row 1 at 45 (row 0 is taken). Then, from the
  // text at 180, row 2.
  CHECK(Planted(rows, {{0, 4}}).run(guided(2, 2)) == (std::vector<Rows>{{0, 3}}));
  CHECK(Planted(rows, {{0, 4}}).run(guided(1, 3)) == (std::vector<Rows>{{0, 1, 3}}));
}

TEST("steps: center, distinctiveness, weighted max-min") {
  // A large common direction hides the differences; centred, rows 0 and 3 are opposite.
  const std::vector<float> rows = {10, 1, 10, 0.5F, 10, 0, 10, -1.5F, 1, 0};
  const std::string center = R"({"do":"features","by":"center","features":"hidden","to":"c"},)";
  const std::string distinct = R"({"do":"score","by":"distinctiveness","features":"hidden","to":"d"},)"
                               R"({"do":"normalise","by":"minMax","score":"d","to":"m"},)";
  const std::string select = R"({"do":"select","by":"maxMin","features":"c","weight":"m",)";
  CHECK(Planted(rows, {{0, 4}}).run(center + distinct + select + keep(1) + "}") == (std::vector<Rows>{{3}}));
  CHECK(Planted(rows, {{0, 4}}).run(center + distinct + select + keep(2) + "}") == (std::vector<Rows>{{0, 3}}));
}

TEST("steps: a determinantal point process in parts") {
  // Whole: 0 and 2, then 90 degrees are spent. In halves: one row of each.
  const std::vector<float> rows = at_angles({0, 5, 90, 1, 2, 3, 0});
  const auto dpp = [&](int64_t count, const std::string& parts) {
    return R"({"do":"select","by":"dpp","features":"hidden","parts":)" + parts + "," + keep(count) + "}";
  };
  CHECK(Planted(rows, {{0, 6}}).run(dpp(2, "1")) == (std::vector<Rows>{{0, 2}}));
  CHECK(Planted(rows, {{0, 6}}).run(dpp(2, "2")) == (std::vector<Rows>{{0, 3}}));
  CHECK(Planted(rows, {{0, 6}}).run(dpp(1, "2")) ==
        (std::vector<Rows>{{3}}));  // half of one row goes to the second half
  CHECK(Planted(rows, {{0, 5}}).run(dpp(5, "2")) == (std::vector<Rows>{{0, 1, 2, 3, 4}}));
}

TEST("steps: min-max in parts, powers, exponentials, sums and products of scores") {
  // Norms 1, 2, 3 | 40, 50, 60: in parts the first half is as good as the second.
  const std::vector<float> rows = {1, 0, 2, 0, 3, 0, 40, 0, 50, 0, 60, 0, 1, 1};
  const std::string norm = R"({"do":"score","by":"norm","p":2,"features":"hidden","to":"n"},)";
  const std::string halves = norm + R"({"do":"normalise","by":"minMax","parts":2,"score":"n","to":"m"},)";
  CHECK(Planted(rows, {{0, 6}}).run(halves + top("m", 2)) == (std::vector<Rows>{{2, 5}}));
  CHECK(Planted(rows, {{0, 6}})
            .run(halves + R"({"do":"combine","by":"product","scores":["m","n"],"to":"p"},)" + top("p", 2)) ==
        (std::vector<Rows>{{4, 5}}));
  CHECK(Planted(rows, {{0, 6}})
            .run(halves +
                 R"({"do":"combine","by":"sum","scores":["m","n"],"factors":[100,-1],)"
                 R"("to":"p"},)" +
                 top("p", 2)) == (std::vector<Rows>{{1, 2}}));
  // exp(-x) is not offered, but any order survives what is.
  CHECK(Planted(rows, {{0, 6}})
            .run(halves +
                 R"({"do":"normalise","by":"power","exponent":2,"score":"m","to":"a"},)"
                 R"({"do":"normalise","by":"exp","scale":3,"score":"a","to":"b"},)"
                 R"({"do":"normalise","by":"softmax","temperature":0.5,"score":"b","to":"c"},)" +
                 top("c", 2)) == (std::vector<Rows>{{2, 5}}));
}

TEST("steps: smoothing moves a lone peak's neighbours up") {
  // A 3 x 3 picture of lengths with peaks 9 in a corner and 8 in the middle.
  std::vector<float> rows;
  for (const float length : {9.0F, 1.0F, 1.0F, 1.0F, 8.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F})
    rows.insert(rows.end(), {length, 0});
  const std::string norm = R"({"do":"score","by":"norm","p":2,"features":"hidden","to":"n"},)";
  const auto smooth = [](const std::string& columns) {
    return R"({"do":"normalise","by":"smooth3x3","rows":3,"columns":)" + columns + R"(,"score":"n","to":"s"},)";
  };
  CHECK(Planted(rows, {{0, 9}}).run(norm + top("n", 1)) == (std::vector<Rows>{{0}}));
  // The corner sees the middle four times, reflected.
  CHECK(Planted(rows, {{0, 9}}).run(norm + smooth("3") + top("s", 3)) == (std::vector<Rows>{{0, 1, 3}}));
  CHECK(Planted(rows, {{0, 9}}).run(norm + smooth("4") + top("s", 1)) == (std::vector<Rows>{{0}}));
}

TEST("steps: coverage of rows and of text") {
  // The image at 0, 10, 90, 180 degrees, the text at 180.
  const std::vector<float> rows = at_angles({0, 10, 90, 180, 180});
  const std::string text = R"({"do":"text","rows":"text","take":"all","to":"t"},)";
  const std::string norm = R"({"do":"score","by":"norm","p":2,"features":"hidden","to":"n"},)";
  for (const std::string algorithm : {"exact", "lazy"}) {
    const std::string end = R"(,"algorithm":")" + algorithm + R"(",)" + keep(1) + "}";
    CHECK(Planted(rows, {{0, 4}}).run(R"({"do":"select","by":"coverage","cover":[{"features":"hidden"}])" + end) ==
          (std::vector<Rows>{{1}}));  // it covers 0.98 + 1 + 0.17
    CHECK(Planted(rows, {{0, 4}})
              .run(text +
                   R"({"do":"select","by":"coverage","cover":[{"features":"hidden"},)"
                   R"({"features":"hidden","vectors":"t","temperature":0.1,"scale":4}])" +
                   end) == (std::vector<Rows>{{3}}));
    CHECK(Planted(rows, {{0, 4}})
              .run(norm +
                   R"({"do":"select","by":"coverage","worth":"n",)"
                   R"("cover":[{"features":"hidden","weight":"n","floor":-0.5}])" +
                   end) == (std::vector<Rows>{{1}}));
  }
}

TEST("steps: what parsing refuses") {
  const std::string text = R"({"do":"text","rows":"text","take":"mean","to":"t"},)";
  const std::string norm = R"({"do":"score","by":"norm","p":1,"features":"hidden","to":"n"},)";
  const std::string after = top("n", 1);
  check_refused(R"({"do":"text","rows":"words","take":"mean","to":"t"},)" + norm + after);
  check_refused(R"({"do":"text","rows":"text","take":"some","to":"t"},)" + norm + after);
  check_refused(R"({"do":"text","rows":"text","take":"longest","to":"t"},)" + norm + after);
  check_refused(R"({"do":"text","rows":"text","take":"longest","count":0,"to":"t"},)" + norm + after);
  check_refused(R"({"do":"score","by":"norm","p":3,"features":"hidden","to":"n"},)" + after);
  check_refused(R"({"do":"score","by":"cosine","features":"hidden","vectors":"t","to":"n"},)" + after);
  check_refused(text + R"({"do":"score","by":"cosine","features":"t","vectors":"t","to":"n"},)" + after);
  check_refused(text + R"({"do":"score","by":"cosine","features":"hidden","vectors":"t","sign":2,"to":"n"},)" + after);
  check_refused(text + R"({"do":"score","by":"focusedCosine","features":"hidden","vectors":"t","share":0,"to":"n"},)" +
                after);
  check_refused(norm + R"({"do":"normalise","by":"minMax","parts":0,"score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"minMax","score":"hidden","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"power","score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"power","exponent":-1,"score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"softmax","temperature":0,"score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"exp","scale":1e9,"score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"normalise","by":"smooth3x3","rows":3,"columns":0,"score":"n","to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"product","scores":[],"to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"product","scores":["x"],"to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"product","scores":[1],"to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"sum","scores":["n"],"to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"sum","scores":["n"],"factors":[1,2],"to":"m"},)" + after);
  check_refused(norm + R"({"do":"combine","by":"sum","scores":["n"],"factors":["a"],"to":"m"},)" + after);
  check_refused(R"({"do":"features","by":"center","features":"t","to":"c"},)" + norm + after);
  check_refused(norm + R"({"do":"select","by":"maxMin","features":"hidden","weight":"m",)" + keep(1) + "}");
  check_refused(norm + R"({"do":"select","by":"dpp","features":"hidden","weight":"hidden",)" + keep(1) + "}");
  check_refused(norm + R"({"do":"select","by":"dpp","features":"hidden","parts":65,)" + keep(1) + "}");
  check_refused(norm + text +
                R"({"do":"select","by":"pivots","features":"hidden","score":"n","vectors":"t","pivots":0,)" + keep(1) +
                "}");
  const auto coverage = [&](const std::string& cover, const std::string& algorithm = "lazy") {
    return norm + text + R"({"do":"select","by":"coverage","cover":)" + cover + R"(,"algorithm":")" + algorithm +
           R"(",)" + keep(1) + "}";
  };
  plan_of_stages(stage(coverage(R"([{"features":"hidden"}])")));
  check_refused(coverage("[]"));
  check_refused(coverage("[1]"));
  check_refused(coverage(R"([{"features":"t"}])"));
  check_refused(coverage(R"([{"features":"hidden","vectors":"n"}])"));
  check_refused(coverage(R"([{"features":"hidden","vectors":"t","weight":"n"}])"));
  check_refused(coverage(R"([{"features":"hidden","scale":0}])"));
  check_refused(coverage(R"([{"features":"hidden","temperature":-1}])"));
  check_refused(coverage(R"([{"features":"hidden","floor":2}])"));
  check_refused(coverage(R"([{"features":"hidden"}])", "greedy"));
}

}  // namespace fovea::test
