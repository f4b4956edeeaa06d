// What the engine answers: tokens that do not depend on who else is served, reports, and typed errors that end their
// own request alone.
#include <algorithm>
#include <limits>

#include "test/engine_listener.h"

namespace fovea::test {
namespace {

std::vector<int32_t> tokens_alone(const GenerateRequest& request) {
  Listener listener;
  listener.engine().generate(1, request);
  CHECK(listener.wait_for(1));
  return listener.said(1).tokens;
}

}  // namespace

TEST("Engine: a request streams its tokens and ends once") {
  Listener listener;
  GenerateRequest request = image_request(5, 12);
  const auto prompt = static_cast<int64_t>(request.input_ids.size());
  listener.engine().generate(1, request);
  REQUIRE(listener.wait_for(1));
  const auto said = listener.said(1);
  CHECK(ended_once(said));
  CHECK_EQ(said.finish_reason, "length");
  CHECK_EQ(said.tokens.size(), size_t{12});
  CHECK_EQ(said.end.generated_tokens, 12);
  CHECK_EQ(said.end.prompt_rows, prompt);
  CHECK_EQ(said.end.visual_rows, 4);
  CHECK(said.end.stages.empty());
  CHECK(!said.end.kv_rows.empty());
  for (const int32_t rows : said.end.kv_rows) CHECK_EQ(rows, prompt);

  request.stop_ids = {said.tokens[0]};
  listener.engine().generate(2, request);
  request.stop_ids = {};
  request.max_tokens = 1000000;  // the context ends first
  listener.engine().generate(3, request);
  request.max_tokens = 0;
  listener.engine().generate(4, request);
  REQUIRE(listener.wait_for(4));
  CHECK_EQ(listener.said(2).finish_reason, "stop");
  CHECK(listener.said(2).tokens.empty());
  CHECK_EQ(listener.said(3).finish_reason, "length");
  CHECK_EQ(static_cast<int64_t>(listener.said(3).tokens.size()), 256 - prompt);
  CHECK_EQ(listener.said(4).finish_reason, "length");
  CHECK(listener.said(4).tokens.empty());
}

TEST("Engine: a hundred mixed requests at once say what each says alone") {
  std::map<uint32_t, std::vector<int32_t>> alone;
  for (uint32_t id = 0; id < 100; id += 9) alone[id] = tokens_alone(mixed_request(id, 10 + id % 20));
  Listener listener;
  for (uint32_t id = 0; id < 100; ++id) listener.engine().generate(id, mixed_request(id, 10 + id % 20));
  REQUIRE(listener.wait_for(100));
  for (uint32_t id = 0; id < 100; ++id) {
    const auto said = listener.said(id);
    CHECK(ended_once(said));
    CHECK_EQ(said.finish_reason, "length");
    CHECK_EQ(said.tokens.size(), size_t{10 + id % 20});
    if (alone.contains(id)) CHECK(said.tokens == alone[id]);
  }
}

TEST("Engine: errors end their own request and leave the others' tokens alone") {
  const std::vector<int32_t> expected = tokens_alone(image_request(8, 40));
  const auto with = [](auto&& change) {
    GenerateRequest request = image_request(6, 10);
    change(request);
    return request;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::pair<ErrorCode, GenerateRequest>> bad = {
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.input_ids.clear(); })},
      {ErrorCode::kContextLength, with([](auto& r) { r.input_ids.resize(256, 5); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.input_ids.push_back(64); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.input_ids.push_back(-1); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.images.clear(); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.images.push_back(random_image(28, 1)); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.images[0] = random_image(14, 1); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.images[0].pixels.pop_back(); })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.input_ids[3] = 9; })},     // a broken run of image tokens
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.input_ids.resize(5); })},  // a run that the prompt cuts off
      {ErrorCode::kPlan, with([](auto& r) { r.plan = "{"; })},
      {ErrorCode::kPlan, with([](auto& r) { r.plan = "[]"; })},
      {ErrorCode::kInvalidArgument, with([](auto& r) { r.sampling.temperature = -1; })},
      {ErrorCode::kNumeric, with([&](auto& r) { r.images[0].pixels[7] = nan; })},
      {ErrorCode::kNumeric, with([&](auto& r) {
         r.images[0].pixels.assign(r.images[0].pixels.size(), nan);
         r.plan = kDropHalf;
       })},
  };
  Listener listener;
  listener.engine().generate(1000, image_request(8, 40));
  for (uint32_t id = 0; id < bad.size(); ++id) listener.engine().generate(id, bad[id].second);
  listener.engine().generate(1001, image_request(8, 40));
  REQUIRE(listener.wait_for(bad.size() + 2));
  for (uint32_t id = 0; id < bad.size(); ++id) {
    const auto said = listener.said(id);
    CHECK(ended_once(said));
    if (said.error != bad[id].first)
      fail(__FILE__, __LINE__,
           "bad request " + std::to_string(id) + " ended with " +
               (said.error ? code_name(*said.error) : said.finish_reason) + ", expected " + code_name(bad[id].first));
  }
  CHECK(listener.said(1000).tokens == expected);
  CHECK(listener.said(1001).tokens == expected);
}

TEST("Engine: forward errors are typed, and a batch equals its sequences alone") {
  Listener listener;
  ForwardRequest batch = forward_request(11), masked = batch, empty = batch, odd = batch, long_one = batch;
  const ForwardRequest alone = batch;
  batch.batch = 2;
  batch.input_ids.insert(batch.input_ids.end(), alone.input_ids.begin(), alone.input_ids.end());
  batch.attention_mask.assign(batch.input_ids.size(), 1);
  batch.images.push_back(batch.images[0]);
  masked.attention_mask.assign(masked.input_ids.size(), 0);
  empty.input_ids.clear();
  odd.batch = 4;
  long_one.input_ids.resize(300, 5);
  long_one.attention_mask.assign(300, 1);
  const std::vector<std::pair<ForwardRequest, ErrorCode>> bad = {{masked, ErrorCode::kInvalidArgument},
                                                                 {empty, ErrorCode::kInvalidArgument},
                                                                 {odd, ErrorCode::kInvalidArgument},
                                                                 {long_one, ErrorCode::kContextLength}};
  listener.engine().forward(100, alone);
  listener.engine().forward(101, batch);
  for (uint32_t id = 0; id < bad.size(); ++id) listener.engine().forward(id, bad[id].first);
  REQUIRE(listener.wait_for(bad.size() + 2));
  for (uint32_t id = 0; id < bad.size(); ++id) CHECK(listener.said(id).error == bad[id].second);
  const std::vector<float> one = listener.said(100).forward.logits.data, two = listener.said(101).forward.logits.data;
  REQUIRE(!one.empty() && two.size() == 2 * one.size());
  CHECK(same_bits(one.data(), two.data(), static_cast<int64_t>(one.size())));
  CHECK(same_bits(one.data(), two.data() + one.size(), static_cast<int64_t>(one.size())));
}

TEST("Engine: keep lists name rows of the image, later stages keep some of the earlier ones") {
  Listener listener;
  GenerateRequest request = image_request(3, 4);
  request.plan = kDropHalf;
  listener.engine().generate(1, request);
  request.keep_lists = true;
  listener.engine().generate(2, request);
  request = text_request(3, 4);
  request.plan = kDropHalf;
  request.keep_lists = true;
  listener.engine().generate(3, request);
  REQUIRE(listener.wait_for(3));
  const auto stages = listener.said(2).end.stages;
  REQUIRE(stages.size() == 2 && stages[0].images.size() == 1 && stages[1].images.size() == 1);
  CHECK_EQ(stages[0].name, "half");
  CHECK_EQ(stages[0].hook, "projected");
  CHECK_EQ(stages[1].hook, "decoder-layer");
  CHECK_EQ(stages[1].layer, 1);
  const auto &first = stages[0].images[0], &second = stages[1].images[0];
  CHECK_EQ(first.rows_in, 4);
  CHECK_EQ(first.rows_out, 3);
  CHECK_EQ(second.rows_in, 3);
  CHECK_EQ(second.rows_out, 1);  // trunc(0.5 * 3)
  CHECK_EQ(first.kept.size(), size_t{3});
  REQUIRE(second.kept.size() == 1);
  CHECK(std::is_sorted(first.kept.begin(), first.kept.end()) && first.kept.front() >= 0 && first.kept.back() < 4);
  CHECK(std::find(first.kept.begin(), first.kept.end(), second.kept[0]) != first.kept.end());
  const auto kv_rows = listener.said(2).end.kv_rows;
  REQUIRE(kv_rows.size() == 2);
  CHECK_EQ(kv_rows[0] - kv_rows[1], 2);
  const auto unasked = listener.said(1).end.stages;
  REQUIRE(unasked.size() == 2);
  CHECK_EQ(unasked[0].images[0].rows_out, 3);
  CHECK(unasked[0].images[0].kept.empty());
  CHECK(listener.said(1).tokens == listener.said(2).tokens);
  CHECK(listener.said(3).end.stages.size() == 2 && listener.said(3).end.stages[0].images.empty());
}

}  // namespace fovea::test
