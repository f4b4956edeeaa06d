// The language model of a VLM: a pre-norm transformer decoder with RMSNorm, RoPE, grouped-query attention and a gated
// FFN (Llama and its relatives, Gemma); some layers of LFM2 have a gated short convolution where others attend. It runs
// packed rows of several sequences; what happens between its layers is the LayerHook's business.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/tensor_source.h"
#include "model/decoder/visible_keys.h"
#include "model/kv_cache.h"
#include "ops/device_array.h"
#include "ops/ops.h"
#include "prune/plan.h"
#include "prune/row_stream.h"

namespace fovea {

struct DecoderConfig {
  int n_layers = 0;
  int64_t d_model = 0;
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;
  int64_t d_head = 0;
  int64_t d_ff = 0;
  int64_t vocab = 0;
  int64_t context = 0;  // rows a sequence may have
  float rms_eps = 0;
  Activation activation = Activation::kSilu;
  std::vector<float> inv_freq;    // (d_head / 2) radians per position
  std::vector<Axis> rope_axes{};  // (d_head / 2) what each turns with (M-RoPE); empty: positions are on a line
  bool qk_norm = false;           // queries and keys are normed, head by head
  float embed_scale = 1;          // of token embeddings; rows of pictures come as they are
  float score_scale = 0;          // of products of queries and keys; 0: 1 / sqrt(d_head)
  float score_cap = 0;            // see ScoreRule
  // (n_layers) how many places back a row sees, its own among them; 0 or no list: all of them. Places are positions in
  // time, not rows: a window does not grow where rows were dropped.
  std::vector<int32_t> windows{};
  std::vector<float> window_inv_freq{};  // (d_head / 2) of layers with a window, where theirs differ; or empty
  PromptView view = PromptView::kCausal;
  // (n_layers) 1: the layer has a short causal convolution where others attend; or no list: none has.
  std::vector<uint8_t> convolves{};
  int64_t conv_taps = 0;  // rows that one sees, its own among them

  ConvLayers conv_layers() const { return {convolves, conv_taps - 1, d_model}; }
  bool does_convolve(int layer) const { return !convolves.empty() && convolves[static_cast<size_t>(layer)] != 0; }
};

// Biases are empty where the model has none.
struct DecoderLayer {
  DeviceArray input_norm;                 // (d_model)
  std::unique_ptr<PackedMatrix> q, k, v;  // (n_heads * d_head, d_model), (n_kv_heads * d_head, d_model) twice
  DeviceArray q_bias, k_bias, v_bias;
  DeviceArray q_norm, k_norm;  // (d_head) or empty
  // Of a layer that convolves, in place of q, k and v: to both gates and what they gate (3 * d_model, d_model); taps
  // (conv_taps, d_model), the last of a row itself.
  std::unique_ptr<PackedMatrix> conv_in;
  DeviceArray conv_in_bias;         // (3 * d_model)
  DeviceArray conv, conv_bias;      // taps; (d_model)
  std::unique_ptr<PackedMatrix> o;  // (d_model, n_heads * d_head), or (d_model, d_model) behind a convolution
  DeviceArray o_bias;
  DeviceArray attention_norm;             // (d_model) of what attention adds, or empty
  DeviceArray post_norm;                  // (d_model)
  std::unique_ptr<PackedMatrix> gate_up;  // (2 * d_ff, d_model)
  DeviceArray gate_up_bias;
  std::unique_ptr<PackedMatrix> down;  // (d_model, d_ff)
  DeviceArray down_bias;
  DeviceArray ffn_norm;  // (d_model) of what the FFN adds, or empty
};

struct DecoderWeights {
  HeldTensor embedding;  // (vocab, d_model), f32, f16 or bf16: a view of the mapped file where that has such numbers
  std::vector<DecoderLayer> layers;
  DeviceArray norm;                    // (d_model)
  std::unique_ptr<PackedMatrix> head;  // (vocab, d_model)
};

class LayerHook {
 public:
  virtual ~LayerHook() = default;
  // Before anything of this layer runs. May drop rows and change positions.
  virtual void before_layer(int layer, RowStream& stream) = 0;
  virtual SubLayers sub_layers(int layer) const = 0;
  // After a half of this layer was added to the stream, or left out.
  virtual void after_attention(int /*layer*/, const RowStream& /*stream*/) {}
  virtual void after_ffn(int /*layer*/, const RowStream& /*stream*/) {}
  // This layer attended: q (n_rows, n_heads, d_head) are the queries of the stream's rows as they met the keys of
  // segments, one for each sequence, by this rule. Valid during the call.
  virtual void attended(int /*layer*/, const RowStream& /*stream*/, const Tensor& /*q*/,
                        std::span<const AttentionSegment> /*segments*/, ScoreRule /*rule*/) {}
};

// Decoder layers [begin, end).
struct LayerRange {
  int begin = 0;
  int end = 0;
};

class Decoder {
 public:
  Decoder(Ops& ops, DecoderConfig config, DecoderWeights weights);

  const DecoderConfig& config() const { return config_; }

  // Token embeddings: ids (n) to out (n, d_model).
  void embed(std::span<const int32_t> ids, const Tensor& out) const;

  // Runs every layer over stream.hidden in place and appends to caches, one per sequence. Returns false, leaving the
  // stream half done, if cancelled became true; it is looked at before each layer.
  bool forward(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
               const std::atomic<bool>& cancelled) {
    return forward(stream, caches, hook, cancelled, {0, config_.n_layers});
  }

  // The same for some of the layers: one range after another computes what all at once do, bit for bit.
  bool forward(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, const std::atomic<bool>& cancelled,
               LayerRange layers);

  // Appends to the caches of these layers what they would remember of the stream as it is, keys and values above all,
  // without running them: for rows that end early and are attended to by later ones.
  void fill_caches(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, LayerRange layers);

  // Final norm, in place, and head: rows (m, d_model) to out (m, vocab).
  void logits(const Tensor& rows, const Tensor& out);

  // What layer `layer`, which attends, would compute for that if it ran now: queries (n_queries, n_heads, d_head) and
  // keys (n_keys, n_kv_heads, d_head) of these rows of a sequence, rotated if rope. Views into scratch memory, valid
  // until the next call of any member.
  struct Probe {
    Tensor q, k;
  };
  Probe probe(int layer, const RowStream& stream, const Sequence& sequence, std::span<const int32_t> queries,
              std::span<const int32_t> keys, bool rope);

  // What each of some rows of a sequence sees of other rows of it, ascending, in this layer: (n_queries) ranges of
  // keys.
  std::vector<KeyRange> visible(int layer, const RowStream& stream, const Sequence& sequence,
                                std::span<const int32_t> queries, std::span<const int32_t> keys) const;

  ScoreRule score_rule() const;

 private:
  // The positions that the RoPE tables hold: of layers that see all rows, and of those with a window.
  using Rotated = std::array<std::vector<Position>, 2>;

  void run_on_all(int layer, RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, Rotated& rotated);
  void run_on_some(int layer, RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, Rotated& rotated);
  int32_t window(int layer) const;
  const std::vector<float>& inv_freq(int layer) const;
  const DeviceArray& rope(int layer) const;
  void rotate_to(int layer, const RowStream& stream, Rotated& rotated);
  void add_linear(const Tensor& x, const PackedMatrix& w, const DeviceArray& bias, const DeviceArray& norm,
                  std::span<const float> gains, const Tensor& to);
  void norm_heads(const Tensor& heads, const DeviceArray& weight);
  Tensor append_keys(int layer, const RowStream& stream, std::span<KvCache* const> caches);
  void mix(int layer, const RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, Rotated& rotated);
  void attend(int layer, const RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook);
  Tensor convolve(int layer, const RowStream& stream, std::span<KvCache* const> caches);
  void feed_forward(int layer, const RowStream& stream);

  Ops& ops_;
  DecoderConfig config_;
  DecoderWeights weights_;
  DeviceArray normed_, q_, k_, v_, gated_, some_, added_, conv_, window_;  // scratch
  std::array<DeviceArray, 2> rope_;                                        // as Rotated
};

}  // namespace fovea
