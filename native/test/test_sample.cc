#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/sample.h"
#include "io/json.h"
#include "test/check.h"

namespace fovea {
namespace {

SamplingParams params_of(const Json& options, uint64_t seed) {
  SamplingParams params;
  params.temperature = static_cast<float>(options.number_or("temperature", 1));
  params.top_k = static_cast<int>(options.int_or("topK", 0));
  params.top_p = static_cast<float>(options.number_or("topP", 1));
  params.min_p = static_cast<float>(options.number_or("minP", 0));
  params.repetition_penalty = static_cast<float>(options.number_or("repetitionPenalty", 1));
  params.seed = seed;
  return params;
}

template <typename T>
std::vector<T> numbers_of(const Json& json) {
  std::vector<T> out;
  for (const Json& item : json.array()) out.push_back(static_cast<T>(item.number()));
  return out;
}

// How often each id comes first in a reply, over many seeds.
std::vector<int> count_draws(const Json& options, std::span<const float> logits, std::span<const int32_t> seen, int n) {
  std::vector<int> counts(logits.size());
  for (int seed = 0; seed < n; ++seed) {
    Sampler sampler(params_of(options, static_cast<uint64_t>(seed)), static_cast<int64_t>(logits.size()));
    sampler.observe(seen);
    ++counts[static_cast<size_t>(sampler.sample(logits).id)];
  }
  return counts;
}

std::vector<int32_t> run(const SamplingParams& params, int n) {
  const std::vector<float> logits = {0.5f, 1.0f, -1.0f, 0.0f, 0.9f, 0.2f, -0.3f, 0.7f};
  Sampler sampler(params, 8);
  std::vector<int32_t> ids;
  ids.reserve(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) ids.push_back(sampler.sample(logits).id);
  return ids;
}

}  // namespace

TEST("sample: distributions equal those of transformers") {
  constexpr int kDraws = 20000;
  const Json golden = read_json_file(std::string(FOVEA_SOURCE_DIR) + "/test/golden/sample/distributions.json");
  const Json::Array& recorded = golden.required_array("cases").array();
  CHECK(recorded.size() >= 10);
  for (const Json& item : recorded) {
    const auto logits = numbers_of<float>(item.required_array("logits"));
    const auto seen = numbers_of<int32_t>(item.required_array("seen"));
    const auto expected = numbers_of<double>(item.required_array("probabilities"));
    const std::vector<int> counts = count_draws(item.required_object("options"), logits, seen, kDraws);
    for (size_t id = 0; id < logits.size(); ++id) {
      const double p = expected[id];
      if (p == 0) {
        CHECK_EQ(counts[id], 0);
      } else {
        // Five standard deviations, and one draw for the rarest.
        CHECK_NEAR(counts[id], p * kDraws, 5 * std::sqrt(p * (1 - p) * kDraws) + 1);
      }
    }
  }
}

TEST("sample: the generator is xoshiro256** seeded by splitmix64") {
  // Recorded from an independent implementation in Python.
  Random zero(0);
  CHECK_EQ(zero.next(), uint64_t{0x99ec5f36cb75f2b4});
  CHECK_EQ(zero.next(), uint64_t{0xbf6e1f784956452a});
  Random other(123456789);
  for (int i = 0; i < 99; ++i) other.next();
  CHECK_EQ(other.next(), uint64_t{0x74fcaaa932fcf084});
  for (int i = 0; i < 1000; ++i) {
    const double u = other.uniform();
    CHECK(u >= 0 && u < 1);
  }
}

TEST("sample: a seed means the same tokens everywhere") {
  SamplingParams params;
  params.temperature = 1;
  params.seed = 42;
  CHECK(run(params, 16) == std::vector<int32_t>({0, 2, 5, 7, 7, 5, 5, 7, 5, 4, 5, 1, 6, 1, 5, 7}));
  CHECK(run(params, 50) == run(params, 50));
  SamplingParams other = params;
  other.seed = 43;
  CHECK(run(params, 50) != run(other, 50));
}

TEST("sample: temperature 0 takes the likeliest, ties to the lower id") {
  Sampler sampler({}, 5);
  CHECK_EQ(sampler.sample(std::vector<float>{1, 3, 2, 3, 0}).id, 1);
  CHECK_EQ(sampler.sample(std::vector<float>{-1, -3, -2, -3, -1}).id, 0);
}

TEST("sample: the repetition penalty covers the prompt and the reply") {
  SamplingParams params;
  params.repetition_penalty = 2;
  const std::vector<float> logits = {4.0f, 3.0f, 2.5f, -1.0f};
  Sampler sampler(params, 4);
  CHECK_EQ(sampler.sample(logits).id, 0);  // then 4 counts as 2
  CHECK_EQ(sampler.sample(logits).id, 1);  // then 3 counts as 1.5
  CHECK_EQ(sampler.sample(logits).id, 2);
  CHECK_EQ(sampler.sample(logits).id, 0);
  Sampler prompted(params, 4);
  prompted.observe(std::vector<int32_t>{0, -7, 99, 0});
  CHECK_EQ(prompted.sample(logits).id, 1);
  // Negative logits are multiplied.
  Sampler negative(params, 2);
  negative.observe(std::vector<int32_t>{0});
  CHECK_EQ(negative.sample(std::vector<float>{-1.0f, -1.5f}).id, 1);
}

TEST("sample: logprobs are of the raw logits") {
  SamplingParams params;
  params.repetition_penalty = 50;
  params.logprobs = 3;
  const std::vector<float> logits = {2.0f, 1.0f, 1.0f, 0.0f};
  Sampler sampler(params, 4);
  sampler.observe(std::vector<int32_t>{0});
  const SampledToken token = sampler.sample(logits);
  const double log_sum = std::log(std::exp(2.0) + 2 * std::exp(1.0) + 1);
  CHECK_EQ(token.id, 1);
  CHECK_NEAR(token.logprob, 1 - log_sum, 1e-6);
  REQUIRE(token.top.size() == 3);
  CHECK_EQ(token.top[0].id, 0);
  CHECK_EQ(token.top[1].id, 1);
  CHECK_EQ(token.top[2].id, 2);
  CHECK_NEAR(token.top[0].logprob, 2 - log_sum, 1e-6);
  CHECK_NEAR(token.top[2].logprob, 1 - log_sum, 1e-6);
  params.logprobs = 0;
  CHECK(Sampler(params, 4).sample(logits).top.empty());
  CHECK_NEAR(Sampler(params, 4).sample(logits).logprob, 2 - log_sum, 1e-6);
  params.logprobs = 100;
  CHECK_EQ(Sampler(params, 4).sample(logits).top.size(), size_t{4});
}

TEST("sample: extreme logits and temperatures stay finite") {
  const float big = std::numeric_limits<float>::max();
  SamplingParams params;
  params.temperature = 1e-30f;
  params.top_p = 0.5f;
  params.min_p = 0.5f;
  params.logprobs = 1;
  params.repetition_penalty = 100;
  Sampler sampler(params, 3);
  sampler.observe(std::vector<int32_t>{0});
  const SampledToken token = sampler.sample(std::vector<float>{-big, big, -big});
  CHECK_EQ(token.id, 1);
  CHECK_EQ(token.logprob, 0.0f);
  params.temperature = 1;
  params.top_p = 1e-6f;
  CHECK_EQ(Sampler(params, 3).sample(std::vector<float>{0, 1, 0}).id, 1);
}

TEST("sample: NaN and infinite logits are refused") {
  for (float temperature : {0.0f, 1.0f}) {
    SamplingParams params;
    params.temperature = temperature;
    for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
      CHECK_THROWS(ErrorCode::kNumeric, Sampler(params, 3).sample(std::vector<float>{0, 1, bad}));
  }
  CHECK_THROWS(ErrorCode::kInternal, Sampler({}, 3).sample(std::vector<float>{0, 1}));
}

TEST("sample: options out of range are refused by name") {
  const auto check_refused = [](auto member, auto value, const std::string& name) {
    SamplingParams params;
    params.*member = value;
    try {
      validate(params);
      test::fail(__FILE__, __LINE__, name + " was accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kInvalidArgument);
      CHECK(std::string(error.what()).find("option " + name + " is ") != std::string::npos);
    }
  };
  for (float bad : {-1.0f, 101.0f, std::nanf("")}) check_refused(&SamplingParams::temperature, bad, "temperature");
  check_refused(&SamplingParams::top_k, -1, "topK");
  for (float bad : {0.0f, -1.0f, 1.5f, std::nanf("")}) check_refused(&SamplingParams::top_p, bad, "topP");
  for (float bad : {-0.1f, 1.5f, std::nanf("")}) check_refused(&SamplingParams::min_p, bad, "minP");
  for (float bad : {0.0f, -1.0f, 1000.0f, std::nanf("")})
    check_refused(&SamplingParams::repetition_penalty, bad, "repetitionPenalty");
  for (int bad : {-2, 101}) check_refused(&SamplingParams::logprobs, bad, "logprobs");
}

}  // namespace fovea
