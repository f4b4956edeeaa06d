#include "model/decoder/decoder.h"

#include <cmath>

namespace fovea {

Decoder::Decoder(Ops& ops, DecoderConfig config, DecoderWeights weights)
    : ops_(ops), config_(std::move(config)), weights_(std::move(weights)) {}

float Decoder::attention_scale() const { return 1.0F / std::sqrt(static_cast<float>(config_.d_head)); }

void Decoder::embed(std::span<const int32_t> ids, const Tensor& out) const { ops_.embed(weights_.embedding, ids, out); }

bool Decoder::forward(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
                      const std::atomic<bool>& cancelled) {
  std::vector<int32_t> rotated;  // positions that rope_ holds
  for (int layer = 0; layer < config_.n_layers; ++layer) {
    if (cancelled.load(std::memory_order_relaxed)) return false;
    hook.before_layer(layer, stream);
    const SubLayers run = hook.sub_layers(layer);
    if (run.attention) {
      if (rotated != stream.positions) {
        rotated = stream.positions;
        ops_.rope_table(rotated, config_.inv_freq, rope_.resize(ops_, {stream.hidden.rows(), config_.d_head}));
      }
      attend(layer, stream, caches);
    }
    if (run.ffn) feed_forward(layer, stream);
  }
  return true;
}

void Decoder::attend(int layer, const RowStream& stream, std::span<KvCache* const> caches) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t m = stream.hidden.rows();
  const Tensor normed = normed_.resize(ops_, {m, config_.d_model});
  const Tensor q = q_.resize(ops_, {m, config_.n_heads * config_.d_head});
  const Tensor k = k_.resize(ops_, {m, config_.n_kv_heads * config_.d_head});
  const Tensor v = v_.resize(ops_, {m, config_.n_kv_heads * config_.d_head});
  const Tensor attended = attended_.resize(ops_, {m, config_.n_heads * config_.d_head});
  const Tensor q_heads = q.reshape_rows({config_.n_heads, config_.d_head});
  const Tensor k_heads = k.reshape_rows({config_.n_kv_heads, config_.d_head});
  const Tensor v_heads = v.reshape_rows({config_.n_kv_heads, config_.d_head});

  ops_.rms_norm(stream.hidden, w.input_norm.view(), config_.rms_eps, normed);
  ops_.linear(normed, *w.q, w.q_bias.view(), q);
  ops_.linear(normed, *w.k, w.k_bias.view(), k);
  ops_.linear(normed, *w.v, w.v_bias.view(), v);
  ops_.rope(q_heads, rope_.view());
  ops_.rope(k_heads, rope_.view());

  std::vector<AttentionSegment> segments;
  for (size_t s = 0; s < stream.sequences.size(); ++s) {
    const Sequence& sequence = stream.sequences[s];
    caches[s]->append(layer, k_heads.slice(sequence.begin, sequence.count),
                      v_heads.slice(sequence.begin, sequence.count));
    segments.push_back({sequence.begin, sequence.count, caches[s]->keys(layer), caches[s]->values(layer), true});
  }
  ops_.attention(q_heads, segments, attention_scale(), attended.reshape_rows({config_.n_heads, config_.d_head}));
  ops_.linear(attended, *w.o, w.o_bias.view(), stream.hidden, /*accumulate=*/true);
}

void Decoder::feed_forward(int layer, const RowStream& stream) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t m = stream.hidden.rows();
  const Tensor normed = normed_.resize(ops_, {m, config_.d_model});
  const Tensor gate_up = gate_up_.resize(ops_, {m, 2 * config_.d_ff});
  const Tensor gated = gated_.resize(ops_, {m, config_.d_ff});
  ops_.rms_norm(stream.hidden, w.post_norm.view(), config_.rms_eps, normed);
  ops_.linear(normed, *w.gate_up, w.gate_up_bias.view(), gate_up);
  ops_.gated(gate_up, config_.activation, gated);
  ops_.linear(gated, *w.down, w.down_bias.view(), stream.hidden, /*accumulate=*/true);
}

void Decoder::logits(const Tensor& rows, const Tensor& out) {
  ops_.rms_norm(rows, weights_.norm.view(), config_.rms_eps, rows);
  ops_.linear(rows, *weights_.head, Tensor(), out);
}

Decoder::Probe Decoder::probe_last_row(int layer, const RowStream& stream, const Sequence& sequence) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const Tensor rows = stream.hidden.slice(sequence.begin, sequence.count);
  const std::span<const int32_t> positions(stream.positions.data() + sequence.begin,
                                           static_cast<size_t>(sequence.count));
  const Tensor normed = normed_.resize(ops_, {sequence.count, config_.d_model});
  const Tensor q = q_.resize(ops_, {1, config_.n_heads * config_.d_head});
  const Tensor k = k_.resize(ops_, {sequence.count, config_.n_kv_heads * config_.d_head});
  DeviceArray table_memory;  // not rope_, which the layers around this probe share
  const Tensor table = table_memory.resize(ops_, {sequence.count, config_.d_head});

  ops_.rms_norm(rows, w.input_norm.view(), config_.rms_eps, normed);
  ops_.linear(normed.slice(sequence.count - 1, 1), *w.q, w.q_bias.view(), q);
  ops_.linear(normed, *w.k, w.k_bias.view(), k);
  ops_.rope_table(positions, config_.inv_freq, table);
  const Probe probe{q.reshape_rows({config_.n_heads, config_.d_head}),
                    k.reshape_rows({config_.n_kv_heads, config_.d_head})};
  ops_.rope(probe.q, table.slice(sequence.count - 1, 1));
  ops_.rope(probe.k, table);
  return probe;
}

}  // namespace fovea
