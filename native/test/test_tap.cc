// The step `tap`: what the tower noted reaches the rows that it was noted of, however many have gone.
#include "test/stage_test.h"

namespace fovea::test {
namespace {

const std::string kTop2 =
    R"({"do":"select","by":"topK","score":"t","to":"k","keep":{"count":2,"of":"stage","rounding":"trunc"}},)"
    R"({"do":"gather","rows":"k"})";
const std::string kEvery2nd =
    R"({"do":"select","by":"uniform","to":"k","keep":{"ratio":0.5,"of":"stage","rounding":"trunc"}},)"
    R"({"do":"gather","rows":"k"})";

std::string projected(const std::string& steps) { return R"({"name":"s","hook":"projected","steps":[)" + steps + "]}"; }
std::string tap(const std::string& of, const std::string& more = "") {
  return R"({"do":"tap","of":")" + of + R"(","to":"t")" + more + "}";
}

}  // namespace

TEST("tap: scores of the rows still here, by their place in the picture") {
  const auto ops = make_cpu_ops(1, "auto");
  TestStream input(*ops, 4, {{20, {{3, 6}, {10, 8}}}});
  FakeSource source;
  source.taps[0].values[{TowerTap::Kind::kClassAttention, -2}] = {1, {9, 1, 2, 3, 8, 4}};
  source.taps[1].values[{TowerTap::Kind::kClassAttention, -2}] = {1, {1, 9, 2, 7, 8, 3, 5, 4}};
  // Uniform halves keep the odd rows: 1, 3, 5 and 1, 3, 5, 7.
  const auto kept =
      run_stages(*ops, input.stream, source,
                 projected(kEvery2nd) + "," + projected(tap("classAttention", R"(,"layer":-2)") + "," + kTop2));
  CHECK(kept == (std::vector<std::vector<int32_t>>{{3, 5}, {1, 3}}));
}

TEST("tap: features of the rows still here") {
  const auto ops = make_cpu_ops(1, "auto");
  TestStream input(*ops, 4, {{8, {{2, 5}}}});
  FakeSource source;
  // Angles 0, 10, 90, 100, 60 degrees without the first: max-min of two keeps the most isolated, then the farthest.
  source.taps[0].values[{TowerTap::Kind::kKeys, -1}] = {2, {1, 0, 0.985F, 0.174F, 0, 1, -0.174F, 0.985F, 0.5F, 0.866F}};
  const std::string without_first =
      R"({"do":"select","by":"topK","score":"t","to":"k","keep":{"count":4,"of":"stage","rounding":"trunc"}},)"
      R"({"do":"gather","rows":"k"})";
  source.taps[0].values[{TowerTap::Kind::kColumnAttention, -1}] = {1, {0, 1, 1, 1, 1}};
  const auto kept = run_stages(
      *ops, input.stream, source,
      projected(tap("columnAttention") + "," + without_first) + "," +
          projected(tap("keys") +
                    R"(,{"do":"select","by":"maxMin","features":"t","to":"k","keep":{"count":2,"of":"stage",)"
                    R"("rounding":"trunc"}},{"do":"gather","rows":"k"})"));
  CHECK(kept == (std::vector<std::vector<int32_t>>{{1, 3}}));
}

TEST("tap: a plan names what the tower has to note") {
  const LoweredPlan plan = plan_of_stages(projected(tap("keys", R"(,"layer":-6)") + "," + tap("output")) + "," +
                                          projected(tap("keys", R"(,"layer":-6)")));
  CHECK(plan.taps.tower == (std::set<TowerTap>{{TowerTap::Kind::kKeys, -6}, {TowerTap::Kind::kOutput, -1}}));
}

TEST("tap: refused inside the tower, of layers that do not run, and of what the tower does not note") {
  const auto refused = [](const std::string& stage) { CHECK_THROWS(ErrorCode::kPlan, plan_of_stages(stage)); };
  refused(R"({"name":"s","hook":"pixels","steps":[)" + tap("keys") + "]}");
  refused(R"({"name":"s","hook":"vision-layer","layer":2,"steps":[)" + tap("keys") + "]}");
  for (const char* layer : {"-7", "0", "1.5", "\"-1\""})
    refused(projected(tap("keys", std::string(R"(,"layer":)") + layer)));
  refused(projected(tap("output", R"(,"layer":-2)")));
  refused(projected(tap("values")));
  refused(projected(R"({"do":"tap","of":"keys"})"));
  refused(projected(tap("keys") + "," + kTop2));
}

}  // namespace fovea::test
