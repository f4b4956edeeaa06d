// Drafts: they change the speed, never the tokens.
#include "engine/speculate.h"
#include "engine/steps.h"
#include "test/check.h"
#include "test/engine_listener.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;
constexpr TinyShape kShape{.n_layers = 6};

const std::string kStages =
    R"({"name":"pyramid","hook":"decoder-layer","layer":2,"steps":[{"do":"probe","queries":"last","to":"a"},
    {"do":"select","by":"topK","score":"a","to":"k",
    "keep":{"ratio":0.5,"of":"decoder","rounding":"trunc"}},{"do":"gather","rows":"k"}]},{"name":"pyramid",
    "hook":"decoder-layer","layer":4,"steps":[{"do":"select","by":"uniform","to":"k",
    "keep":{"count":3,"of":"stage",
    "rounding":"trunc"}},{"do":"gather","rows":"k"}]})";
const std::string kSkipBlock =
    R"({"layer":3,"part":"attention","phase":"both"},{"layer":3,"part":"ffn","phase":"decode"})";
const std::string kSkips = R"({"layer":1,"part":"attention"},{"layer":2,"part":"ffn"},{"layer":4,"part":"attention"},
    {"layer":4,"part":"ffn"})";
const std::string kSearch =
    R"(,"search":{"skipRatio":0.45,"context":6,"stopScore":1,"patience":300,"proposals":20,"seed":3})";

std::string plan(const std::string& draft, const std::string& stages = "", const std::string& skip = "") {
  return R"({"positions":"compact","stages":[)" + stages + R"(],"skip":[)" + skip + "]" +
         (draft.empty() ? "" : R"(,"draft":)" + draft) + "}";
}

std::string draft(const std::string& skips, const std::string& rest = "", const std::string& stop = "0.02") {
  return R"({"skip":[)" + skips + R"(],"max":5,"adapt":true,"stopProbability":)" + stop + rest + "}";
}

// A prompt with an image and what is said to it.
struct Talk {
  TinyDecoder& tiny;
  TestStream input;
  Session session;
  Sampler sampler;
  std::vector<int32_t> said;
  DeviceArray hidden, logits;
  std::vector<float> host;

  Talk(TinyDecoder& tiny, const std::string& plan, const SamplingParams& params, uint64_t seed)
      : tiny(tiny),
        input(tiny.ops(), kShape.d_model, {{17, {{2, 12}}}}, seed),
        session(tiny.ops(), tiny.decoder().config(), parse_plan(plan, tiny.model.plan_bounds()), false),
        sampler(params, kShape.vocab) {
    Session* sessions[] = {&session};
    CHECK(prefill(tiny.model, sessions, input.stream, {}, kNever));
    const Tensor last = input.stream.hidden.slice(input.stream.hidden.rows() - 1, 1);
    tiny.decoder().logits(last, logits.resize(tiny.ops(), {1, kShape.vocab}));
    say(on_host(tiny.ops(), logits.view()));
  }

  int32_t say(std::span<const float> row) {
    said.push_back(sampler.sample(row).id);
    return said.back();
  }

  void one_by_one(size_t n) {
    while (said.size() < n) {
      decode_rows(tiny.model, session, std::span(said).last(1), session.plan.decode, hidden, logits, host);
      say(host);
    }
  }

  DraftReport drafting(size_t n) {
    Speculation speculation(session.plan);
    while (said.size() < n) {
      const Speculation::Round round{said.back(), sampler, {}, static_cast<int64_t>(n - said.size()), kNever};
      speculation.round(tiny.model, session, round, [&](std::span<const float> row) {
        const int32_t token = say(row);
        return Verdict{token, said.size() >= n};
      });
    }
    return speculation.report();
  }
};

}  // namespace

TEST("speculate: guesses 5 7 9 against 5 7 2 4: two are right, three tokens are said, one row is rolled back") {
  const std::vector<int32_t> guesses = {5, 7, 9}, says = {5, 7, 2, 4};
  std::vector<int32_t> said;
  const auto verdict = [&](int64_t row) {
    said.push_back(says[static_cast<size_t>(row)]);
    return Verdict{said.back(), false};
  };
  CHECK_EQ(count_right(guesses, verdict), 2);
  CHECK(said == (std::vector<int32_t>{5, 7, 2}));
}

TEST("speculate: all right is one token more than guessed; the end of a generation ends the check") {
  const std::vector<int32_t> guesses = {5, 7};
  int64_t asked = 0;
  const auto says = [&](int32_t end_after) {
    asked = 0;
    return count_right(guesses, [&, end_after](int64_t row) {
      ++asked;
      const std::vector<int32_t> tokens = {5, 7, 1};
      return Verdict{tokens[static_cast<size_t>(row)], row == end_after};
    });
  };
  CHECK_EQ(says(-1), 2);
  CHECK_EQ(asked, 3);
  CHECK_EQ(says(0), 1);
  CHECK_EQ(asked, 1);
  CHECK_EQ(count_right({}, [&](int64_t) { return Verdict{9, false}; }), 0);
}

TEST("speculate: the threshold rises below 90 % right guesses, falls above, and stays when a draft was full") {
  StopThreshold stop(0.8);
  stop.adapt(4, 4, 8);  // the share starts at 0 and is halved in: 0.5
  CHECK_NEAR(stop.value(), 0.801, 1e-12);
  stop.adapt(4, 4, 8);  // 0.75
  stop.adapt(4, 4, 8);  // 0.875
  CHECK_NEAR(stop.value(), 0.803, 1e-12);
  stop.adapt(4, 4, 8);  // 0.9375
  CHECK_NEAR(stop.value(), 0.802, 1e-12);
  stop.adapt(8, 8, 8);  // full
  CHECK_NEAR(stop.value(), 0.802, 1e-12);
  stop.adapt(8, 0, 8);
  CHECK_NEAR(stop.value(), 0.803, 1e-12);
}

TEST("speculate: many rows at once equal one after another, and rolling back forgets them in every layer") {
  TinyDecoder tiny(kShape);
  Talk talk(tiny, plan("", kStages, kSkipBlock), {}, 7), plain(tiny, plan("", kStages, kSkipBlock), {}, 7);
  const std::vector<SubLayers>& run = talk.session.plan.decode;
  std::vector<int64_t> lengths;
  for (int layer = 0; layer < kShape.n_layers; ++layer) lengths.push_back(talk.session.cache.length(layer));
  CHECK(lengths == (std::vector<int64_t>{17, 17, 11, 0, 8, 8}));
  const std::vector<int32_t> positions = talk.session.next_position, ids = {4, 9, 1, 22};
  DeviceArray hidden, logits;
  std::vector<float> all, again, one;
  decode_rows(tiny.model, talk.session, ids, run, hidden, logits, all);
  talk.session.roll_back(4, run);
  for (int layer = 0; layer < kShape.n_layers; ++layer)
    CHECK_EQ(talk.session.cache.length(layer), lengths[static_cast<size_t>(layer)]);
  CHECK(talk.session.next_position == positions);
  decode_rows(tiny.model, talk.session, ids, run, hidden, logits, again);
  CHECK(same_floats(all, again));
  for (size_t i = 0; i < ids.size(); ++i) {
    decode_rows(tiny.model, plain.session, std::span(ids).subspan(i, 1), run, hidden, logits, one);
    const auto row = all.begin() + static_cast<std::ptrdiff_t>(i) * kShape.vocab;
    CHECK(same_floats({row, row + kShape.vocab}, one));
  }
  CHECK_THROWS(ErrorCode::kInternal, talk.session.cache.drop_last(3, 1));
}

TEST(
    "speculate: the tokens are those of decoding one by one, with every plan, sampling and set of skipped sub-layers") {
  TinyDecoder tiny(kShape);
  const SamplingParams greedy, penalised{.repetition_penalty = 1.5F},
      drawn{.temperature = 0.9F, .top_k = 20, .top_p = 0.95F, .repetition_penalty = 1.2F, .seed = 11};
  int64_t drafted = 0, accepted = 0;
  for (const auto& [stages, skip] : {std::pair<std::string, std::string>{"", ""}, {kStages, ""}, {kStages, kSkipBlock}})
    for (const std::string& drafts : {draft(kSkips), draft(kSkips, kSearch), draft(kSkips, "", "1")})
      for (const SamplingParams& params : {greedy, penalised, drawn})
        for (uint64_t seed : {7, 8, 9}) {
          Talk plain(tiny, plan("", stages, skip), params, seed), talk(tiny, plan(drafts, stages, skip), params, seed);
          plain.one_by_one(40);
          const DraftReport report = talk.drafting(40);
          CHECK(talk.said == plain.said);
          drafted += report.drafted;
          accepted += report.accepted;
          // Every check says one token of its own.
          CHECK_EQ(report.accepted + report.verify_steps, 39);
          CHECK(report.accepted <= report.drafted);
          for (int layer = 0; layer < kShape.n_layers; ++layer)
            CHECK_EQ(talk.session.cache.length(layer), plain.session.cache.length(layer));
          CHECK(talk.session.next_position == plain.session.next_position);
        }
  CHECK(accepted > 0);
  CHECK(accepted < drafted);
}

TEST("speculate: drafts that leave out nothing are always right, when drawing too; one guess a check when unsure") {
  TinyDecoder tiny(kShape);
  for (const SamplingParams& params : {SamplingParams{}, SamplingParams{.temperature = 1, .seed = 4}}) {
    Talk sure(tiny, plan(draft("", "", "0")), params, 7);
    const DraftReport report = sure.drafting(40);
    CHECK_EQ(report.accepted, report.drafted);
    CHECK_EQ(report.verify_steps, 7);  // 39 tokens, six a check
  }
  Talk unsure(tiny, plan(draft("", "", "1")), {}, 7);
  const DraftReport report = unsure.drafting(40);
  CHECK_EQ(report.drafted, 19);  // two tokens a check; the last one is said without a guess
  CHECK_EQ(report.verify_steps, 20);
}

TEST("speculate: the search proposes so many sub-layers, never of the first and the last layer, and keeps the better") {
  TinyDecoder tiny(kShape);
  Talk talk(tiny, plan(draft(kSkips, kSearch)), {.temperature = 1, .seed = 2}, 7);
  const DraftReport report = talk.drafting(120);
  CHECK_EQ(report.proposals, 20);
  CHECK(report.score > 0 && report.score <= 1);
  CHECK(report.run.front() == SubLayers{} && report.run.back() == SubLayers{});
  int skipped = 0;
  for (const SubLayers& layer : report.run) skipped += (layer.attention ? 0 : 1) + (layer.ffn ? 0 : 1);
  const bool is_start = report.run == talk.session.plan.draft->run;
  CHECK_EQ(skipped, is_start ? 4 : 3);  // trunc(2 * 4 * 0.45)
}

TEST("speculate: a search ends when its sets are good enough, and after proposals without gain") {
  TinyDecoder tiny(kShape);
  const auto proposals = [&](const std::string& stop_score, const std::string& patience) {
    const std::string search = R"(,"search":{"skipRatio":0.45,"context":6,"stopScore":)" + stop_score +
                               R"(,"patience":)" + patience + R"(,"proposals":1000,"seed":3})";
    Talk talk(tiny, plan(draft("", search)), {}, 7);  // skips nothing, so that nothing is better
    return talk.drafting(200).proposals;
  };
  CHECK_EQ(proposals("0", "9"), 1);
  CHECK_EQ(proposals("1", "9"), 1);  // greedy tokens are all guessed
  SamplingParams hot{.temperature = 100, .seed = 1};
  const std::string search =
      R"(,"search":{"skipRatio":0,"context":6,"stopScore":1,"patience":3,"proposals":1000,"seed":3})";
  Talk talk(tiny, plan(draft("", search)), hot, 7);  // proposals like the start: never better
  CHECK_EQ(talk.drafting(60).proposals, 3);
}

TEST("Engine: requests that draft say what they say without, whoever is served beside them") {
  const std::string skip = R"({"layer":1,"part":"ffn"},{"layer":0,"part":"attention"})";
  Listener listener;
  constexpr uint32_t kRequests = 24;
  for (uint32_t id = 0; id < kRequests; ++id) {
    GenerateRequest request = mixed_request(id, 10 + id % 20);
    listener.engine().generate(id, request);
    const std::string drafts = R"("draft":)" + draft(skip, "", "0.01");
    if (request.plan.empty()) request.plan = plan("");
    request.plan.replace(request.plan.rfind('}'), 1, "," + drafts + "}");
    listener.engine().generate(kRequests + id, request);
    request.stop_ids = {7, 20, 33};
    listener.engine().generate(2 * kRequests + id, request);
  }
  REQUIRE(listener.wait_for(size_t{3} * kRequests));
  int64_t accepted = 0, drafted = 0;
  for (uint32_t id = 0; id < kRequests; ++id) {
    const auto plain = listener.said(id), said = listener.said(kRequests + id), cut = listener.said(2 * kRequests + id);
    CHECK(!plain.end.draft.has_value());
    CHECK(said.tokens == plain.tokens);
    CHECK_EQ(said.finish_reason, plain.finish_reason);
    REQUIRE(said.end.draft.has_value());
    accepted += said.end.draft->accepted;
    drafted += said.end.draft->drafted;
    const auto stop = std::find_if(plain.tokens.begin(), plain.tokens.end(),
                                   [](int32_t token) { return token == 7 || token == 20 || token == 33; });
    CHECK(cut.tokens == std::vector<int32_t>(plain.tokens.begin(), stop));
    CHECK_EQ(cut.finish_reason, stop == plain.tokens.end() ? "length" : "stop");
  }
  CHECK(accepted > 0 && accepted < drafted);
}

TEST("Engine: a cancelled request that drafts ends at once") {
  Listener listener([](Engine& engine, const Event& event) {
    if (std::holds_alternative<TokensReport>(event.body)) engine.cancel(event.request);
  });
  GenerateRequest request = text_request(5, 100000);
  request.plan = plan(draft("", "", "0"));
  listener.engine().generate(1, request);
  REQUIRE(listener.wait_for(1));
  CHECK_EQ(listener.said(1).finish_reason, "cancelled");
  CHECK(listener.said(1).tokens.size() < 10);
}

}  // namespace fovea::test
