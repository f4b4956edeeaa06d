// Early exits on a tiny decoder: when they happen, what they say and what they leave in the cache.
#include "engine/early_exit.h"
#include "engine/sample.h"
#include "engine/steps.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/engine_listener.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;
constexpr int64_t kRows = 11;

std::string exit_plan(const std::string& layers, const std::string& q, const std::string& stages = "",
                      const std::string& skip = "") {
  return R"({"positions":"compact","stages":[)" + stages + R"(],"skip":[)" + skip + R"(],"exit":{"layers":[)" + layers +
         R"(],"q":)" + q + "}}";
}

const std::string kHalf =
    R"({"name":"half","hook":"decoder-layer","layer":2,"steps":[{"do":"select","by":"uniform","to":"k",
    "keep":{"ratio":0.5,"of":"stage","rounding":"trunc"}},{"do":"gather","rows":"k"}]})";

struct Prefilled {
  TestStream input;
  Session session;
  Prefilled(TinyDecoder& tiny, const std::string& plan)
      : input(tiny.ops(), tiny.decoder().config().d_model, {{kRows, {{2, 6}}}}),
        session(tiny.ops(), tiny.decoder().config(), parse_plan(plan, tiny.model.plan_bounds()), false) {
    Session* sessions[] = {&session};
    CHECK(prefill(tiny.model, sessions, input.stream, {}, kNever));
  }
};

// The same token through every layer, as everybody else decodes.
std::vector<float> ordinary(TinyDecoder& tiny, Session& session, int32_t token) {
  DeviceArray hidden, logits;
  std::vector<float> host;
  decode_rows(tiny.model, session, {&token, 1}, session.plan.decode, hidden, logits, host);
  return host;
}

bool same_cache(const Session& a, const Session& b) {
  for (int layer = 0; layer < a.cache.n_layers(); ++layer) {
    if (a.cache.length(layer) != b.cache.length(layer)) return false;
    if (!same_floats(cached_keys(a.cache, layer), cached_keys(b.cache, layer))) return false;
    if (!same_floats(cached_values(a.cache, layer), cached_values(b.cache, layer))) return false;
  }
  return a.next_position == b.next_position;
}

}  // namespace

TEST("early exit: q = 1 never leaves and changes no bit") {
  TinyDecoder tiny(TinyShape{});
  Prefilled exiting(tiny, exit_plan("0,1,2", "1", kHalf)), plain(tiny, exit_plan("", "0", kHalf));
  EarlyExit exit(exiting.session.plan);
  for (int32_t token = 1; token < 9; ++token) {
    const auto logits = exit.step(tiny.model, exiting.session, token);
    CHECK(same_floats({logits.begin(), logits.end()}, ordinary(tiny, plain.session, token)));
  }
  CHECK(same_cache(exiting.session, plain.session));
  CHECK(exit.report().tokens == (std::vector<int32_t>{0, 0, 0, 8}));
}

TEST("early exit: where the layers above add nothing, leaving changes no bit of logits and cache") {
  TinyShape shape;
  shape.n_layers = 3;
  TinyDecoder tiny(shape, {.attention = 2, .ffn = 2});
  Prefilled exiting(tiny, exit_plan("1", "0", kHalf)), plain(tiny, exit_plan("", "0", kHalf));
  EarlyExit exit(exiting.session.plan);
  for (int32_t token = 1; token < 9; ++token) {
    const auto logits = exit.step(tiny.model, exiting.session, token);
    CHECK(same_floats({logits.begin(), logits.end()}, ordinary(tiny, plain.session, token)));
  }
  CHECK(same_cache(exiting.session, plain.session));
  CHECK(exit.report().tokens == (std::vector<int32_t>{0, 8, 0}));
}

TEST("early exit: leaves at the first layer where the probability of having left exceeds q") {
  TinyDecoder tiny(TinyShape{});
  // The lens at each layer: leaving there whatever happens.
  std::vector<double> lambda;
  for (const char* layer : {"0", "1", "2"}) {
    Prefilled run(tiny, exit_plan(layer, "0"));
    lambda.push_back(top_probability(EarlyExit(run.session.plan).step(tiny.model, run.session, 3)));
  }
  double staying = 1;
  for (int layer = 0; layer < 3; ++layer) {
    staying *= 1 - lambda[static_cast<size_t>(layer)];
    const auto leaves_at = [&](double q) {
      Prefilled run(tiny, exit_plan("0,1,2", std::to_string(q)));
      EarlyExit exit(run.session.plan);
      exit.step(tiny.model, run.session, 3);
      const auto& tokens = exit.report().tokens;
      return static_cast<int>(std::max_element(tokens.begin(), tokens.end()) - tokens.begin());
    };
    CHECK_EQ(leaves_at(1 - staying - 1e-5), layer);
    CHECK_EQ(leaves_at(1 - staying + 1e-5), layer + 1);
  }
}

TEST("early exit: a layer whose attention decoding skips gets no keys") {
  TinyDecoder tiny(TinyShape{});
  Prefilled run(tiny, exit_plan("0", "0", "", R"({"layer":2,"part":"attention","phase":"decode"})"));
  EarlyExit exit(run.session.plan);
  exit.step(tiny.model, run.session, 3);
  for (int layer = 0; layer < 4; ++layer) {
    CHECK_EQ(run.session.cache.length(layer), layer == 2 ? kRows : kRows + 1);
    CHECK_EQ(run.session.next_position[static_cast<size_t>(layer)], static_cast<int32_t>(kRows + 1));
  }
}

TEST("Engine: early exits are reported, and leave the others' tokens alone") {
  Listener listener;
  GenerateRequest plain = image_request(5, 20), never = plain, always = plain;
  never.plan = exit_plan("0", "1");
  always.plan = exit_plan("0", "0");
  listener.engine().generate(1, plain);
  listener.engine().generate(2, always);
  listener.engine().generate(3, never);
  REQUIRE(listener.wait_for(3));
  CHECK(!listener.said(1).end.exit.has_value());
  CHECK(listener.said(3).tokens == listener.said(1).tokens);
  REQUIRE(listener.said(2).end.exit && listener.said(3).end.exit);
  // Prefill says the first token.
  CHECK(listener.said(2).end.exit->tokens == (std::vector<int32_t>{19, 0}));
  CHECK(listener.said(3).end.exit->tokens == (std::vector<int32_t>{0, 19}));
}

}  // namespace fovea::test
