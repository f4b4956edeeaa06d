// The parts of a plan that draft and that exit early: what is read, and what is refused.
#include "prune/plan.h"
#include "test/check.h"

namespace fovea::test {
namespace {

constexpr int kLayers = 6;

std::string plan(const std::string& rest, const std::string& skip = "") {
  return R"({"positions":"compact","stages":[],"skip":[)" + skip + "]," + rest + "}";
}

std::string draft(const std::string& skip, const std::string& rest = "") {
  return plan(R"("draft":{"skip":[)" + skip + R"(],"max":8,"stopProbability":0.8,"adapt":true)" + rest + "}");
}

std::string search(const std::string& change, const std::string& to) {
  std::string text = R"({"skipRatio":0.45,"context":32,"stopScore":0.95,"patience":300,"proposals":1000,"seed":5})";
  if (!change.empty()) text.replace(text.find(change), change.size(), to);
  return draft("", R"(,"search":)" + text);
}

LoweredPlan parsed(const std::string& text) { return parse_plan(text, {kLayers, 0}); }

}  // namespace

TEST("plan: a draft leaves out its own sub-layers and those that decoding leaves out") {
  const std::string decode = R"({"layer":2,"part":"ffn","phase":"decode"})";
  const LoweredPlan p = parsed(plan(
      R"("draft":{"skip":[{"layer":1,"part":"attention"},{"layer":4,"part":"ffn"}],"max":3,"stopProbability":0.5})",
      decode));
  REQUIRE(p.draft.has_value());
  std::vector<SubLayers> run(kLayers);
  run[2].ffn = false;
  CHECK(p.decode == run);
  run[1].attention = run[4].ffn = false;
  CHECK(p.draft->run == run);
  CHECK_EQ(p.draft->max, 3);
  CHECK_EQ(p.draft->stop_probability, 0.5);
  CHECK(!p.draft->adapt);
  CHECK(!p.draft->search);
  CHECK(!p.exit);
}

TEST("plan: a search has bounds") {
  const auto read = parsed(search("", "")).draft;
  REQUIRE(read && read->search);
  CHECK_EQ(read->search->skip_ratio, 0.45);
  CHECK_EQ(read->search->context, 32);
  CHECK_EQ(read->search->stop_score, 0.95);
  CHECK_EQ(read->search->patience, 300);
  CHECK_EQ(read->search->proposals, 1000);
  CHECK_EQ(read->search->seed, uint64_t{5});
  const std::pair<const char*, const char*> bad[] = {
      {R"("skipRatio":0.45)", R"("skipRatio":1.1)"},
      {R"("context":32)", R"("context":0)"},
      {R"("context":32)", R"("context":1025)"},
      {R"("stopScore":0.95)", R"("stopScore":-1)"},
      {R"("patience":300)", R"("patience":0)"},
      {R"("proposals":1000)", R"("proposals":1e9)"},
      {R"("seed":5)", R"("seed":-1)"},
  };
  for (const auto& [change, to] : bad) CHECK_THROWS(ErrorCode::kPlan, parsed(search(change, to)));
  CHECK_THROWS(ErrorCode::kPlan, parse_plan(search("", ""), {2, 0}));  // the first and the last layer always run
}

TEST("plan: refuses a draft that is out of bounds") {
  CHECK(parsed(draft("")).draft.has_value());
  CHECK_THROWS(ErrorCode::kPlan, parsed(draft(R"({"layer":6,"part":"ffn"})")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(draft(R"({"layer":-1,"part":"ffn"})")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(draft(R"({"layer":1,"part":"block"})")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(draft("1")));
  for (const char* max : {"0", "65", "1.5"})
    CHECK_THROWS(ErrorCode::kPlan,
                 parsed(plan(R"("draft":{"skip":[],"stopProbability":0.8,"max":)" + std::string(max) + "}")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(plan(R"("draft":{"skip":[],"max":4,"stopProbability":2})")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(plan(R"("draft":[])")));
}

TEST("plan: exit layers ascend and leave out the last one") {
  const auto exit = parsed(plan(R"("exit":{"layers":[0,2,4],"q":0.5})")).exit;
  REQUIRE(exit.has_value());
  CHECK(exit->layers == (std::vector<int>{0, 2, 4}));
  CHECK_EQ(exit->q, 0.5);
  for (const char* layers : {"[5]", "[-1]", "[2,2]", "[3,1]", "[1.5]", R"(["1"])"})
    CHECK_THROWS(ErrorCode::kPlan, parsed(plan(R"("exit":{"q":0.5,"layers":)" + std::string(layers) + "}")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(plan(R"("exit":{"layers":[1],"q":1.5})")));
  CHECK_THROWS(ErrorCode::kPlan, parsed(plan(R"("exit":{"layers":[1],"q":0.5},"draft":{"skip":[],"max":4,
      "stopProbability":0.8})")));
}

}  // namespace fovea::test
