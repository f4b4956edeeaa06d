// What layers that convolve remember, and decoders that have such layers.
#include "engine/forward_pass.h"
#include "engine/steps.h"
#include "model/conv_tail.h"
#include "test/check.h"
#include "test/numbers.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;

// A tail of rows that are named by their number, from 1.
struct Named {
  std::unique_ptr<Ops> ops = make_cpu_ops(1, "auto");
  ConvTail tail{*ops, 2, 3};

  void append(int64_t n) {
    DeviceArray memory;
    const Tensor rows = memory.resize(*ops, {n, 3});
    std::vector<float> numbers;
    for (int64_t i = 0; i < 3 * n; ++i) numbers.push_back(static_cast<float>(tail.length() + 1 + i / 3));
    if (n > 0) ops->copy_from_host(numbers.data(), rows);
    tail.append(rows);
  }
  // Whether the next row would see the last two.
  static bool knows(Ops& ops, const ConvTail& tail) {
    DeviceArray memory;
    const Tensor past = memory.resize(ops, {2, 3});
    tail.copy_past(past);
    const std::vector<float> numbers = on_host(ops, past);
    for (size_t i = 0; i < numbers.size(); ++i)
      if (numbers[i] != static_cast<float>(std::max(int64_t{0}, tail.length() - 1 + static_cast<int64_t>(i / 3))))
        return false;
    return true;
  }
  bool knows() { return knows(*ops, tail); }
};

// The convolution of one sequence by its definition, in double precision.
std::vector<double> convolved(const std::vector<float>& x, const std::vector<float>& weight,
                              const std::vector<float>& bias, int64_t d) {
  const int64_t m = std::ssize(x) / (3 * d), taps = std::ssize(weight) / d;
  const auto at = [&](int64_t row, int64_t part, int64_t c) {
    return double{x[static_cast<size_t>((row * 3 + part) * d + c)]};
  };
  std::vector<double> out;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t c = 0; c < d; ++c) {
      double sum = bias.empty() ? 0 : bias[static_cast<size_t>(c)];
      for (int64_t tap = 0; tap < taps; ++tap)
        if (const int64_t from = row - taps + 1 + tap; from >= 0)
          sum += double{weight[static_cast<size_t>(tap * d + c)]} * at(from, 0, c) * at(from, 2, c);
      out.push_back(at(row, 1, c) * sum);
    }
  return out;
}

TinyShape hybrid() {
  TinyShape shape;
  shape.convolves = {1, 1, 0, 1};
  return shape;
}

struct PassThrough final : LayerHook {
  void before_layer(int, RowStream&) override {}
  SubLayers sub_layers(int) const override { return {}; }
};

// Rows [begin, end) of a prompt of 80 rows behind what cache holds; the stream at the end.
std::vector<float> run_rows(TinyDecoder& tiny, KvCache& cache, int64_t begin, int64_t end) {
  TestStream prompt(tiny.ops(), 24, {{80, {}}});
  RowStream& stream = prompt.stream;
  stream.hidden = stream.hidden.slice(begin, end - begin);
  stream.positions = {stream.positions.begin() + begin, stream.positions.begin() + end};
  Sequence& sequence = stream.sequences.front();
  sequence.count = end - begin;
  sequence.origin = {sequence.origin.begin() + begin, sequence.origin.begin() + end};
  KvCache* const caches[] = {&cache};
  PassThrough hook;
  CHECK(tiny.decoder().forward(stream, caches, hook, kNever));
  return on_host(tiny.ops(), stream.hidden);
}

}  // namespace

TEST("gated_conv: against double precision, in pieces and at once, whatever the tier and the threads") {
  constexpr int64_t kRows = 700, kWidth = 37;
  Random random(3);
  const std::vector<float> numbers = random_floats(random, kRows * 3 * kWidth, 1);
  const std::vector<float> weights = random_floats(random, 4 * kWidth, 1), biases = random_floats(random, kWidth, 1);
  std::vector<float> first;
  for (const std::string& tier : {std::string("scalar"), std::string("auto")})
    for (const int threads : {1, 3}) {
      const auto ops = make_cpu_ops(threads, tier);
      DeviceArray x_memory, weight_memory, bias_memory, window_memory, out_memory;
      const Tensor x = x_memory.resize(*ops, {kRows, 3 * kWidth}), weight = weight_memory.resize(*ops, {4, kWidth});
      const Tensor bias = bias_memory.resize(*ops, {kWidth}), out = out_memory.resize(*ops, {kRows, kWidth});
      const Tensor window = window_memory.resize(*ops, {3 + kRows, kWidth});
      ops->copy_from_host(numbers.data(), x);
      ops->copy_from_host(weights.data(), weight);
      ops->copy_from_host(biases.data(), bias);
      const std::vector<float> zeros(3 * kWidth, 0.0F);
      ops->copy_from_host(zeros.data(), window.slice(0, 3));
      ops->gated_conv(x, weight, bias, window, out);
      const std::vector<float> whole = on_host(*ops, out);
      const std::vector<double> truth = convolved(numbers, weights, biases, kWidth);
      for (size_t i = 0; i < whole.size(); ++i) CHECK_NEAR(whole[i], truth[i], 1e-6);
      if (first.empty()) first = whole;
      CHECK(same_floats(whole, first));
      for (int64_t begin = 0, n = 1; begin < kRows; begin += n, n = std::min(2 * n, kRows - begin))
        ops->gated_conv(x.slice(begin, n), weight, bias, window.slice(begin, 3 + n), out.slice(begin, n));
      CHECK(same_floats(on_host(*ops, out), first));
      CHECK_THROWS(ErrorCode::kInternal, ops->gated_conv(x, weight, bias, window.slice(0, kRows), out));
    }
}

TEST("ConvTail: knows the past wherever a sequence goes on, and little more") {
  Named named;
  CHECK(named.knows());  // zeros
  for (const int64_t n : {1, 1, 3, 0, 40, 1, 1000, 2, 1}) {
    named.append(n);
    CHECK(named.knows());
  }
  for (int i = 0; i < 1000; ++i) {
    named.append(1);
    CHECK(named.knows());
  }
  CHECK_EQ(named.tail.length(), int64_t{2049});
  CHECK(named.tail.bytes() < 2049 * 3 * sizeof(float) / 4);
  const size_t before = named.tail.bytes();
  named.tail.shrink();
  CHECK(named.tail.bytes() < before && named.knows());
  for (const int64_t n : {64, 5, 0}) {  // a draft's guesses
    named.tail.drop_last(n);
    CHECK(named.knows());
    named.append(n);
    CHECK(named.knows());
  }
  CHECK_THROWS(ErrorCode::kInternal, named.tail.drop_last(2050));
  CHECK_THROWS(ErrorCode::kInternal, ConvTail(*named.ops, 40, 3));
}

TEST("ConvTail: goes on from its end, from marks before it, and from nowhere else") {
  Named named;
  named.append(1000);
  CHECK_EQ(named.tail.resumable(1000), int64_t{1000});
  CHECK_EQ(named.tail.resumable(2000), int64_t{1000});
  CHECK_EQ(named.tail.resumable(940), int64_t{940});
  CHECK_EQ(named.tail.resumable(703), int64_t{672});
  CHECK_EQ(named.tail.resumable(31), int64_t{0});
  CHECK_EQ(named.tail.resumable(1), int64_t{0});
  for (const int64_t n : {0, 32, 672, 995}) {
    ConvTail other(*named.ops, 2, 3);
    other.go_on_from(named.tail, n);
    CHECK_EQ(other.length(), n);
    CHECK(Named::knows(*named.ops, other));
    CHECK_EQ(other.resumable(n), n);
  }
  named.tail.drop_last(300);
  CHECK_EQ(named.tail.resumable(700), int64_t{672});
  DeviceArray memory;
  CHECK_THROWS(ErrorCode::kInternal, named.tail.copy_past(memory.resize(*named.ops, {2, 3})));
  named.tail.drop_last(700);
  CHECK(named.knows());
  named.append(5);
  CHECK(named.knows());
}

TEST("KvCache: layers that convolve and others go on together") {
  TinyDecoder tiny(hybrid());
  KvCache cache = tiny.cache();
  run_rows(tiny, cache, 0, 80);
  for (int layer = 0; layer < 4; ++layer) {
    CHECK_EQ(cache.rows(layer), int64_t{80});
    CHECK_EQ(cache.length(layer), int64_t{layer == 2 ? 80 : 0});  // keys and values
  }
  CHECK_EQ(cache.resumable(80), int64_t{80});
  const std::vector<float> last = run_rows(tiny, cache, 70, 71);  // any row
  for (int layer = 0; layer < 4; ++layer) cache.drop_last(layer, 1);
  for (const int64_t n : {0, 32, 75}) {
    KvCache other = tiny.cache();
    other.go_on_from(cache, n);
    for (int layer = 0; layer < 4; ++layer) CHECK_EQ(other.rows(layer), n);
    run_rows(tiny, other, n, 80);
    CHECK(same_floats(run_rows(tiny, other, 70, 71), last));
  }
}

TEST("Decoder with convolutions: a prefill equals its parts and its rows one by one, a batch its members") {
  for (const int64_t taps : {1, 3, 5}) {
    TinyShape shape = hybrid();
    shape.conv_taps = taps;
    TinyDecoder tiny(shape);
    KvCache whole = tiny.cache(), parts = tiny.cache(), single = tiny.cache();
    const std::vector<float> truth = run_rows(tiny, whole, 0, 80);
    std::vector<float> in_parts, one_by_one;
    for (const auto& [begin, end] : {std::pair(0, 1), std::pair(1, 33), std::pair(33, 80)}) {
      const std::vector<float> rows = run_rows(tiny, parts, begin, end);
      in_parts.insert(in_parts.end(), rows.begin(), rows.end());
    }
    for (int64_t row = 0; row < 80; ++row) {
      const std::vector<float> rows = run_rows(tiny, single, row, row + 1);
      one_by_one.insert(one_by_one.end(), rows.begin(), rows.end());
    }
    CHECK(same_floats(in_parts, truth));
    CHECK(same_floats(one_by_one, truth));

    TestStream both(tiny.ops(), 24, {{80, {}}, {80, {}}});
    tiny.ops().copy(both.stream.hidden.slice(0, 80), both.stream.hidden.slice(80, 80));
    KvCache first = tiny.cache(), second = tiny.cache();
    KvCache* const caches[] = {&first, &second};
    PassThrough hook;
    CHECK(tiny.decoder().forward(both.stream, caches, hook, kNever));
    TestStream alone(tiny.ops(), 24, {{80, {}}, {80, {}}});
    const std::vector<float> together = on_host(tiny.ops(), both.stream.hidden.slice(80, 80));
    KvCache third = tiny.cache();
    KvCache* const one[] = {&third};
    RowStream& stream = alone.stream;
    stream.sequences.pop_back();
    stream.positions.resize(80);
    stream.hidden = stream.hidden.slice(0, 80);
    CHECK(tiny.decoder().forward(stream, one, hook, kNever));
    CHECK(same_floats(on_host(tiny.ops(), stream.hidden), together));
  }
}

TEST("Plans: a stage that needs attention where a layer convolves is refused by its name") {
  TinyDecoder tiny(hybrid());
  PlanBounds bounds{4, 0, 24, nullptr, tiny.decoder().config().convolves};
  const auto plan = [&](const std::string& stage) {
    return parse_plan(R"({"positions":"compact","stages":[)" + stage + R"(],"skip":[]})", bounds);
  };
  const auto probe = [](int at, int of) {
    return R"({"name":"looks","hook":"decoder-layer","layer":)" + std::to_string(at) +
           R"(,"steps":[{"do":"probe","queries":"last","layer":)" + std::to_string(of) + R"(,"to":"s"}]})";
  };
  plan(probe(2, 2));
  plan(probe(3, 2));
  const std::string keys =
      R"({"name":"alike","hook":"decoder-layer","layer":3,"steps":[{"do":"features","by":"keys","to":"k"}]})";
  for (const auto& [stage, name] :
       {std::pair(probe(2, 1), "stage looks"), std::pair(probe(3, 3), "stage looks"), std::pair(keys, "stage alike")}) {
    try {
      plan(stage);
      fail(__FILE__, __LINE__, stage);
    } catch (const Error& error) {
      CHECK_EQ(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kPlan));
      CHECK(std::string(error.what()).find(name) != std::string::npos);
    }
  }
}

}  // namespace fovea::test
