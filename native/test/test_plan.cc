// Lowered plans: what lib/prune makes is taken, everything else is a plan error, whoever sends it.
#include <string>
#include <vector>

#include "prune/plan.h"
#include "test/check.h"

namespace fovea::test {
namespace {

constexpr int kLayers = 32;
constexpr PlanBounds kBounds{kLayers, 6};

const std::string kKeep = R"({"ratio":0.5,"of":"decoder","rounding":"trunc"})";
const std::string kProbe = R"({"do":"probe","queries":"last","to":"a"})";
const std::string kTopK = R"({"do":"select","by":"topK","score":"a","to":"k","keep":)" + kKeep + "}";
const std::string kGather = R"({"do":"gather","rows":"k"})";

std::string plan_of(const std::string& stages, const std::string& skip = "", const std::string& positions = "compact") {
  return R"({"positions":")" + positions + R"(","stages":[)" + stages + R"(],"skip":[)" + skip + "]}";
}
std::string at_layer(const std::string& layer, const std::string& steps) {
  return R"({"name":"s","hook":"decoder-layer","layer":)" + layer + R"(,"steps":[)" + steps + "]}";
}
std::string projected(const std::string& steps) { return R"({"name":"s","hook":"projected","steps":[)" + steps + "]}"; }
std::string select(const std::string& by, const std::string& keep, const std::string& more = "") {
  return R"({"do":"select","by":")" + by + R"(","to":"k","keep":)" + keep + more + "}";
}
std::string keep_of(const std::string& amount) { return "{" + amount + R"(,"of":"stage","rounding":"half-even"})"; }
std::string skip(const std::string& layer, const std::string& part, const std::string& phase) {
  return R"({"layer":)" + layer + R"(,"part":")" + part + R"(","phase":")" + phase + R"("})";
}
std::string repeated(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += (i == 0 ? "" : ",") + text;
  return all;
}

struct Refused {
  const char* what;
  std::string json;
};

void check_refused(const std::vector<Refused>& table, int n_layers = kLayers) {
  for (const Refused& refused : table) {
    try {
      parse_plan(refused.json, {n_layers, 6});
      fail(__FILE__, __LINE__, std::string("accepted: ") + refused.what);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kPlan)
        fail(__FILE__, __LINE__,
             std::string(refused.what) + ": threw " + code_name(error.code()) + " (" + error.what() + ")");
    }
  }
}

}  // namespace

TEST("parse_plan: no plan changes nothing") {
  for (const std::string& text : {std::string(), plan_of("")}) {
    const LoweredPlan plan = parse_plan(text, {3, 2});
    CHECK(plan.stages.empty());
    CHECK(plan.positions == Positions::kCompact);
    CHECK(plan.prefill == std::vector<SubLayers>(3));
    CHECK(plan.decode == std::vector<SubLayers>(3));
  }
}

TEST("parse_plan: DivPrune, PyramidDrop, random and skips as lib/prune lowers them") {
  const LoweredPlan plan = parse_plan(
      R"({"positions":"original","stages":[
        {"name":"divPrune","hook":"projected","steps":[
          {"do":"select","by":"maxMin","features":"hidden","keep":{"ratio":0.098,"of":"stage","rounding":"half-even"},
           "to":"kept"},
          {"do":"gather","rows":"kept"}]},
        {"name":"pyramidDrop","hook":"decoder-layer","layer":8,"steps":[
          {"do":"probe","queries":"last","to":"attention"},
          {"do":"select","by":"topK","score":"attention","keep":{"ratio":0.5,"of":"decoder","rounding":"trunc"},
           "to":"kept"},
          {"do":"gather","rows":"kept"}]},
        {"name":"random","hook":"vision-layer","layer":5,"steps":[
          {"do":"select","by":"random","keep":{"count":7,"of":"stage","rounding":"half-even"},"seed":42,"to":"r"}]}],
      "skip":[{"layer":0,"part":"attention","phase":"both"},{"layer":5,"part":"ffn","phase":"prefill"},
              {"layer":31,"part":"attention","phase":"decode"}]})",
      kBounds);
  CHECK(plan.positions == Positions::kOriginal);
  REQUIRE(plan.stages.size() == 3);
  CHECK_EQ(plan.stages[0].name, "divPrune");
  CHECK(plan.stages[0].hook == Hook::kProjected);
  CHECK_EQ(plan.stages[0].steps.size(), size_t{2});
  CHECK(plan.stages[1].hook == Hook::kDecoderLayer);
  CHECK_EQ(plan.stages[1].layer, 8);
  CHECK_EQ(plan.stages[1].steps.size(), size_t{3});
  CHECK(plan.stages[2].hook == Hook::kVisionLayer);
  CHECK_EQ(plan.stages[2].layer, 5);

  std::vector<SubLayers> prefill(kLayers), decode(kLayers);
  prefill[0].attention = decode[0].attention = false;
  prefill[5].ffn = false;
  decode[31].attention = false;
  CHECK(plan.sub_layers(Phase::kPrefill) == prefill);
  CHECK(plan.sub_layers(Phase::kDecode) == decode);
}

TEST("parse_plan: attention and FFN of one layer skip apart and together") {
  const LoweredPlan plan =
      parse_plan(plan_of("", skip("2", "attention", "both") + "," + skip("2", "ffn", "decode")), kBounds);
  CHECK(plan.prefill[2] == (SubLayers{false, true}));
  CHECK(plan.decode[2] == (SubLayers{false, false}));
  CHECK(plan.decode[1] == (SubLayers{true, true}));
}

TEST("parse_plan: bounds that just fit") {
  parse_plan(plan_of(at_layer("1", kProbe + "," + kTopK) + "," + at_layer("31", "")), kBounds);
  parse_plan(plan_of(projected(select("random", keep_of(R"("ratio":1e-9)")))), kBounds);
  parse_plan(
      plan_of(projected(select("random", keep_of(R"("count":9007199254740991)"), R"(,"seed":9007199254740991)"))),
      kBounds);
  parse_plan(plan_of(at_layer("3", repeated(kProbe + "," + kTopK, 32))), kBounds);
  parse_plan(plan_of(repeated(projected(""), 256)), kBounds);
  parse_plan(plan_of("", skip("31", "ffn", "both")), kBounds);
}

TEST("parse_plan refuses text that is no plan object") {
  check_refused({{"no JSON", "divPrune"},
                 {"cut off", plan_of("").substr(0, 20)},
                 {"trailing text", plan_of("") + "x"},
                 {"null", "null"},
                 {"a number", "3"},
                 {"a string", "\"divPrune\""},
                 {"a list", "[]"},
                 {"an empty object", "{}"},
                 {"blank", " "},
                 {"a duplicate key", R"({"positions":"compact","positions":"compact","stages":[],"skip":[]})"},
                 {"a NUL", std::string("\0", 1)},
                 {"broken UTF-8", R"({"positions":")"
                                  "\xff"
                                  R"(","stages":[],"skip":[]})"},
                 {"huge text", plan_of("") + std::string(size_t{1} << 20, ' ')},
                 {"deep lists", std::string(100000, '[')},
                 {"deep objects", plan_of(repeated("", 1) + std::string(1000, '[') + std::string(1000, ']'))}});
}

TEST("parse_plan refuses unknown values and wrong kinds at the top") {
  check_refused({{"positions unknown", plan_of("", "", "dense")},
                 {"positions a number", R"({"positions":1,"stages":[],"skip":[]})"},
                 {"positions missing", R"({"stages":[],"skip":[]})"},
                 {"positions null", R"({"positions":null,"stages":[],"skip":[]})"},
                 {"stages missing", R"({"positions":"compact","skip":[]})"},
                 {"stages an object", R"({"positions":"compact","stages":{},"skip":[]})"},
                 {"skip missing", R"({"positions":"compact","stages":[]})"},
                 {"skip a string", R"({"positions":"compact","stages":[],"skip":"ffn"})"},
                 {"a stage that is a number", plan_of("3")},
                 {"a stage that is null", plan_of("null")},
                 {"a stage that is a list", plan_of("[]")},
                 {"a skip that is a string", plan_of("", "\"ffn\"")},
                 {"a step that is a number", plan_of(projected("7"))},
                 {"257 stages", plan_of(repeated(projected(""), 257))},
                 {"65 steps", plan_of(at_layer("3", repeated(kProbe, 65)))}});
}

TEST("parse_plan refuses stages at hooks and layers that do not exist") {
  check_refused(
      {{"hook unknown", plan_of(R"({"name":"s","hook":"vision","steps":[]})")},
       {"a tower layer beyond the last", plan_of(R"({"name":"s","hook":"vision-layer","layer":6,"steps":[]})")},
       {"no tower layer", plan_of(R"({"name":"s","hook":"vision-layer","steps":[]})")},
       {"hook missing", plan_of(R"({"name":"s","steps":[]})")},
       {"name missing", plan_of(R"({"hook":"projected","steps":[]})")},
       {"name a number", plan_of(R"({"name":1,"hook":"projected","steps":[]})")},
       {"steps missing", plan_of(R"({"name":"s","hook":"projected"})")},
       {"steps an object", plan_of(R"({"name":"s","hook":"projected","steps":{}})")},
       {"no layer", plan_of(R"({"name":"s","hook":"decoder-layer","steps":[]})")},
       {"layer 0", plan_of(at_layer("0", ""))},
       {"layer negative", plan_of(at_layer("-1", ""))},
       {"layer n_layers", plan_of(at_layer("32", ""))},
       {"layer beyond 32 bits", plan_of(at_layer("4294967297", ""))},
       {"layer beyond 64 bits", plan_of(at_layer("18446744073709551617", ""))},
       {"layer a fraction", plan_of(at_layer("1.5", ""))},
       {"layer a string", plan_of(at_layer("\"1\"", ""))},
       {"layer null", plan_of(at_layer("null", ""))}});
  check_refused({{"any layer of a decoder of one", plan_of(at_layer("1", ""))}}, 1);
}

TEST("parse_plan refuses steps that make no sense") {
  check_refused(
      {{"do unknown", plan_of(at_layer("2", R"({"do":"divPrune"})"))},
       {"do missing", plan_of(at_layer("2", R"({"queries":"last"})"))},
       {"queries unknown", plan_of(at_layer("2", R"({"do":"probe","queries":"first","to":"a"})"))},
       {"queries missing", plan_of(at_layer("2", R"({"do":"probe","to":"a"})"))},
       {"keys unknown", plan_of(at_layer("2", R"({"do":"probe","queries":"last","keys":"some","to":"a"})"))},
       {"to missing", plan_of(at_layer("2", R"({"do":"probe","queries":"last"})"))},
       {"to empty", plan_of(at_layer("2", R"({"do":"probe","queries":"last","to":""})"))},
       {"to the rows themselves", plan_of(at_layer("2", R"({"do":"probe","queries":"last","to":"hidden"})"))},
       {"by unknown", plan_of(projected(select("best", kKeep)))},
       {"by missing", plan_of(projected(R"({"do":"select","keep":)" + kKeep + "}"))},
       {"keep missing", plan_of(projected(R"({"do":"select","by":"uniform"})"))},
       {"keep a number", plan_of(projected(select("uniform", "0.5")))},
       {"a probe before the decoder", plan_of(projected(kProbe))},
       {"topK without a probe", plan_of(at_layer("2", kTopK))},
       {"topK before its probe", plan_of(at_layer("2", kTopK + "," + kProbe))},
       {"topK at projected", plan_of(projected(kTopK))},
       {"topK of a probe before rows left", plan_of(at_layer("2", kProbe + "," + kTopK + "," + kGather + "," + kTopK))},
       {"topK of rows",
        plan_of(at_layer("2", select("uniform", kKeep) + R"(,{"do":"select","by":"topK","score":"k","to":"x","keep":)" +
                                  kKeep + "}"))},
       {"maxMin without features", plan_of(projected(select("maxMin", kKeep)))},
       {"maxMin of unknown features", plan_of(projected(select("maxMin", kKeep, R"(,"features":"f")")))},
       {"gather of nothing", plan_of(projected(kGather))},
       {"a probe of another stage", plan_of(at_layer("2", kProbe) + "," + at_layer("2", kTopK))},
       {"seed negative", plan_of(projected(select("random", kKeep, R"(,"seed":-1)")))},
       {"seed a fraction", plan_of(projected(select("random", kKeep, R"(,"seed":0.5)")))},
       {"seed a string", plan_of(projected(select("random", kKeep, R"(,"seed":"x")")))}});
}

TEST("parse_plan refuses budgets that are none") {
  const auto with = [](const std::string& keep) { return plan_of(projected(select("uniform", keep))); };
  check_refused({{"ratio 0", with(keep_of(R"("ratio":0)"))},
                 {"ratio -0.0", with(keep_of(R"("ratio":-0.0)"))},
                 {"ratio 2", with(keep_of(R"("ratio":2)"))},
                 {"ratio just above 1", with(keep_of(R"("ratio":1.0000000000000002)"))},
                 {"ratio negative", with(keep_of(R"("ratio":-0.5)"))},
                 {"ratio huge", with(keep_of(R"("ratio":1e308)"))},
                 {"ratio infinite", with(keep_of(R"("ratio":1e999)"))},
                 {"ratio NaN", with(keep_of(R"("ratio":NaN)"))},
                 {"ratio a string", with(keep_of(R"("ratio":"NaN")"))},
                 {"ratio true", with(keep_of(R"("ratio":true)"))},
                 {"ratio a list", with(keep_of(R"("ratio":[0.5])"))},
                 {"ratio and count", with(keep_of(R"("ratio":0.5,"count":3)"))},
                 {"ratio null, no count", with(keep_of(R"("ratio":null)"))},
                 {"neither", with(R"({"of":"stage","rounding":"trunc"})")},
                 {"count 0", with(keep_of(R"("count":0)"))},
                 {"count negative", with(keep_of(R"("count":-3)"))},
                 {"count a fraction", with(keep_of(R"("count":2.5)"))},
                 {"count beyond 64 bits", with(keep_of(R"("count":99999999999999999999)"))},
                 {"of unknown", with(R"({"ratio":0.5,"of":"prompt","rounding":"trunc"})")},
                 {"of missing", with(R"({"ratio":0.5,"rounding":"trunc"})")},
                 {"rounding unknown", with(R"({"ratio":0.5,"of":"stage","rounding":"up"})")},
                 {"rounding missing", with(R"({"ratio":0.5,"of":"stage"})")}});
}

TEST("parse_plan refuses skips that cannot run") {
  check_refused({{"layer n_layers", plan_of("", skip("32", "ffn", "both"))},
                 {"layer negative", plan_of("", skip("-1", "ffn", "both"))},
                 {"layer a fraction", plan_of("", skip("0.5", "ffn", "both"))},
                 {"layer missing", plan_of("", R"({"part":"ffn","phase":"both"})")},
                 {"part unknown", plan_of("", skip("1", "norm", "both"))},
                 {"part block, which lib/prune splits", plan_of("", skip("1", "block", "both"))},
                 {"phase unknown", plan_of("", skip("1", "ffn", "never"))},
                 {"phase missing", plan_of("", R"({"layer":1,"part":"ffn"})")},
                 {"attention in prefill only", plan_of("", skip("1", "attention", "prefill"))}});
}

TEST("parse_plan says where and what") {
  try {
    parse_plan(plan_of(at_layer("40", "")), kBounds);
    fail(__FILE__, __LINE__, "accepted layer 40");
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.find("layer is 40") != std::string::npos);
    CHECK(message.find("from 1 to 31") != std::string::npos);
  }
}

}  // namespace fovea::test
