// A decoder of random weights and streams of random rows, small enough for thousands of steps in a test.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "model/model.h"
#include "prune/row_stream.h"
#include "test/numbers.h"

namespace fovea::test {

inline std::vector<float> random_floats(Random& random, int64_t n, float size) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = random.uniform() * size;
  return values;
}

inline std::vector<float> on_host(Ops& ops, const Tensor& x) {
  std::vector<float> values(static_cast<size_t>(x.elements()));
  if (!values.empty()) ops.copy_to_host(x, values.data());
  return values;
}

// Bit for bit.
inline bool same_floats(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct TinyShape {
  int n_layers = 4;
  int64_t d_model = 24, n_heads = 4, n_kv_heads = 2, d_head = 6, d_ff = 40, vocab = 30;
  bool same_q_and_k = false;  // one matrix for both, so that a row's query is its key
  std::vector<int32_t> windows{};
  PromptView view = PromptView::kCausal;
  std::vector<uint8_t> convolves{};
  int64_t conv_taps = 3;
};

// Zeroed output projections: that sub-layer then adds nothing, which is what skipping it must do.
struct Silenced {
  int attention = -1, ffn = -1;  // layers
};

// The model has a decoder and ops, nothing else.
struct TinyDecoder {
  std::vector<float> embedding;  // (vocab, d_model); the decoder reads it
  Model model;

  explicit TinyDecoder(const TinyShape& s, const Silenced& silenced = {}, int threads = 2, uint64_t seed = 1) {
    model.ops = make_cpu_ops(threads, "auto");
    Random random(seed);
    DecoderConfig config{.n_layers = s.n_layers,
                         .d_model = s.d_model,
                         .n_heads = s.n_heads,
                         .n_kv_heads = s.n_kv_heads,
                         .d_head = s.d_head,
                         .d_ff = s.d_ff,
                         .vocab = s.vocab,
                         .context = 4096,
                         .rms_eps = 1e-5F,
                         .activation = Activation::kSilu,
                         .inv_freq = {},
                         .windows = s.windows,
                         .view = s.view,
                         .convolves = s.convolves,
                         .conv_taps = s.conv_taps};
    for (int64_t i = 0; i < s.d_head; i += 2)
      config.inv_freq.push_back(std::pow(10000.0F, -static_cast<float>(i) / static_cast<float>(s.d_head)));
    embedding = random_floats(random, s.vocab * s.d_model, 1);
    DecoderWeights w;
    w.embedding.tensor = Tensor(embedding.data(), DType::kF32, Device::kCpu, {s.vocab, s.d_model});
    for (int i = 0; i < s.n_layers; ++i) {
      DecoderLayer layer;
      layer.input_norm = vector(random, s.d_model);
      const bool convolves = !s.convolves.empty() && s.convolves[static_cast<size_t>(i)] != 0;
      if (convolves) {
        layer.conv_in = matrix(random, 3 * s.d_model, s.d_model);
        const std::vector<float> taps = random_floats(random, s.conv_taps * s.d_model, 1);
        model.ops->copy_from_host(taps.data(), layer.conv.resize(*model.ops, {s.conv_taps, s.d_model}));
      } else {
        Random twin = random;
        layer.q = matrix(random, s.n_heads * s.d_head, s.d_model);
        layer.k = matrix(s.same_q_and_k ? twin : random, s.n_kv_heads * s.d_head, s.d_model);
        layer.v = matrix(random, s.n_kv_heads * s.d_head, s.d_model);
      }
      layer.o = matrix(random, s.d_model, convolves ? s.d_model : s.n_heads * s.d_head, i == silenced.attention);
      layer.post_norm = vector(random, s.d_model);
      layer.gate_up = matrix(random, 2 * s.d_ff, s.d_model, false, Outputs::kGated);
      layer.down = matrix(random, s.d_model, s.d_ff, i == silenced.ffn);
      w.layers.push_back(std::move(layer));
    }
    w.norm = vector(random, s.d_model);
    w.head = matrix(random, s.vocab, s.d_model);
    model.decoder = std::make_unique<Decoder>(*model.ops, std::move(config), std::move(w));
  }

  Ops& ops() { return *model.ops; }
  Decoder& decoder() { return *model.decoder; }
  KvCache cache() {
    const DecoderConfig& c = model.decoder->config();
    return {*model.ops, c.n_layers, c.n_kv_heads, c.d_head, c.conv_layers()};
  }

 private:
  std::unique_ptr<PackedMatrix> matrix(Random& random, int64_t n, int64_t k, bool zero = false,
                                       Outputs outputs = Outputs::kPlain) {
    std::vector<float> values = random_floats(random, n * k, 2 / std::sqrt(static_cast<float>(k)));
    if (zero) values.assign(values.size(), 0.0F);
    const Tensor part(values.data(), DType::kF32, Device::kCpu, {n, k});
    return model.ops->pack({&part, 1}, DType::kF32, outputs);
  }

  DeviceArray vector(Random& random, int64_t n) {
    std::vector<float> values = random_floats(random, n, 0.5F);
    for (float& value : values) value += 1;
    DeviceArray array;
    model.ops->copy_from_host(values.data(), array.resize(*model.ops, {n}));
    return array;
  }
};

// Packed sequences of random rows with visual spans.
struct TestStream {
  struct Image {
    int64_t begin, count;
  };
  struct Prompt {
    int64_t rows;
    std::vector<Image> images;
  };

  DeviceArray memory;
  RowStream stream;

  TestStream(Ops& ops, int64_t d_model, const std::vector<Prompt>& prompts, uint64_t seed = 7) {
    int64_t n_rows = 0;
    for (const Prompt& prompt : prompts) {
      Sequence sequence{n_rows, prompt.rows, std::vector<int32_t>(static_cast<size_t>(prompt.rows)), {}};
      std::iota(sequence.origin.begin(), sequence.origin.end(), 0);
      for (const Image& image : prompt.images)
        sequence.spans.push_back(
            {static_cast<int32_t>(sequence.spans.size()), image.begin, image.count, image.begin, image.count});
      stream.positions.insert(stream.positions.end(), sequence.origin.begin(), sequence.origin.end());
      stream.sequences.push_back(std::move(sequence));
      n_rows += prompt.rows;
    }
    Random random(seed);
    const std::vector<float> rows = random_floats(random, n_rows * d_model, 1);
    stream.hidden = memory.resize(ops, {n_rows, d_model});
    ops.copy_from_host(rows.data(), stream.hidden);
  }
};

}  // namespace fovea::test
