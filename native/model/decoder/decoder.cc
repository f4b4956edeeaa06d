#include "model/decoder/decoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/row_blocks.h"

namespace fovea {
namespace {

std::span<const Position> of_sequence(const RowStream& stream, const Sequence& sequence) {
  return std::span(stream.positions).subspan(static_cast<size_t>(sequence.begin), static_cast<size_t>(sequence.count));
}

}  // namespace

Decoder::Decoder(Ops& ops, DecoderConfig config, DecoderWeights weights)
    : ops_(ops), config_(std::move(config)), weights_(std::move(weights)) {}

ScoreRule Decoder::score_rule() const {
  const float scale =
      config_.score_scale > 0 ? config_.score_scale : 1.0F / std::sqrt(static_cast<float>(config_.d_head));
  return {scale, config_.score_cap};
}

int32_t Decoder::window(int layer) const {
  return config_.windows.empty() ? 0 : config_.windows[static_cast<size_t>(layer)];
}

const std::vector<float>& Decoder::inv_freq(int layer) const {
  return window(layer) > 0 && !config_.window_inv_freq.empty() ? config_.window_inv_freq : config_.inv_freq;
}

const DeviceArray& Decoder::rope(int layer) const { return rope_[window(layer) > 0 ? 1 : 0]; }

void Decoder::embed(std::span<const int32_t> ids, const Tensor& out) const {
  ops_.embed(weights_.embedding.tensor, ids, out);
  if (config_.embed_scale != 1) ops_.scale_rows(out, std::vector<float>(ids.size(), config_.embed_scale));
}

bool Decoder::forward(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
                      const std::atomic<bool>& cancelled, LayerRange layers) {
  Rotated rotated;
  for (int layer = layers.begin; layer < layers.end; ++layer) {
    if (cancelled.load(std::memory_order_relaxed)) return false;
    hook.before_layer(layer, stream);
    if (stream.bypass.empty()) {
      run_on_all(layer, stream, caches, hook, rotated);
    } else {
      run_on_some(layer, stream, caches, hook, rotated);
    }
    // Whatever of the layer ran: what is added belongs to the picture, not to the layer.
    if ((layer + 1) * config_.d_model <= (stream.planes.empty() ? 0 : stream.planes.shape[1]))
      ops_.add(stream.hidden, stream.planes.columns(layer * config_.d_model, config_.d_model));
  }
  return true;
}

// One layer of forward.
void Decoder::run_on_all(int layer, RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
                         Rotated& rotated) {
  const SubLayers run = hook.sub_layers(layer);
  if (run.attention) mix(layer, stream, caches, hook, rotated);
  hook.after_attention(layer, stream);
  if (run.ffn) feed_forward(layer, stream);
  hook.after_ffn(layer, stream);
}

// The same where stream.bypass sends rows past it.
void Decoder::run_on_some(int layer, RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
                          Rotated& rotated) {
  const SubLayers run = hook.sub_layers(layer);
  RowStream some;  // the rows that run
  std::vector<int32_t> rows;
  for (const Sequence& sequence : stream.sequences) {
    Sequence& running = some.sequences.emplace_back(Sequence{static_cast<int64_t>(rows.size()), 0, {}, sequence.spans});
    // How many of the sequence's first rows run.
    std::vector<int64_t> before{0};
    for (int64_t i = 0; i < sequence.count; ++i) {
      const bool runs = stream.bypass[static_cast<size_t>(sequence.begin + i)] == 0;
      before.push_back(before.back() + (runs ? 1 : 0));
      if (!runs) continue;
      rows.push_back(static_cast<int32_t>(sequence.begin + i));
      running.origin.push_back(sequence.origin[static_cast<size_t>(i)]);
    }
    running.count = before.back();
    for (Span& span : running.spans) {
      const int64_t end = before[static_cast<size_t>(span.begin + span.count)];
      span.begin = before[static_cast<size_t>(span.begin)];
      span.count = end - span.begin;
    }
  }
  std::vector<float> past(stream.gains);  // factors of rows that run past the layer
  for (int32_t row : rows) {
    some.positions.push_back(stream.positions[static_cast<size_t>(row)]);
    some.gains.push_back(std::exchange(past[static_cast<size_t>(row)], 1.0F));
  }
  some.hidden = some_.resize(ops_, {static_cast<int64_t>(rows.size()), config_.d_model});
  ops_.gather_rows(stream.hidden, rows, some.hidden);
  const auto put_back = [&] {
    for (size_t i = 0, n = 1; i < rows.size(); i += n) {
      for (n = 1; i + n < rows.size() && rows[i + n] == rows[i] + static_cast<int32_t>(n);) ++n;
      ops_.copy(some.hidden.slice(static_cast<int64_t>(i), static_cast<int64_t>(n)),
                stream.hidden.slice(rows[i], static_cast<int64_t>(n)));
    }
  };
  if (run.attention) {
    mix(layer, some, caches, hook, rotated);
    put_back();
  }
  hook.after_attention(layer, stream);
  if (run.ffn) feed_forward(layer, some);
  ops_.scale_rows(stream.hidden, past);
  put_back();
  stream.bypass.clear();
  stream.gains.clear();
  hook.after_ffn(layer, stream);
}

void Decoder::fill_caches(RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook, LayerRange layers) {
  Rotated rotated;
  for (int layer = layers.begin; layer < layers.end; ++layer) {
    hook.before_layer(layer, stream);
    if (!hook.sub_layers(layer).attention) continue;  // nobody reads that cache
    if (config_.does_convolve(layer)) {
      convolve(layer, stream, caches);
    } else {
      rotate_to(layer, stream, rotated);
      append_keys(layer, stream, caches);
    }
  }
}

// The half of a layer in which rows see one another.
void Decoder::mix(int layer, const RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook,
                  Rotated& rotated) {
  if (config_.does_convolve(layer)) {
    const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
    add_linear(convolve(layer, stream, caches), *w.o, w.o_bias, w.attention_norm, {}, stream.hidden);
  } else {
    rotate_to(layer, stream, rotated);
    attend(layer, stream, caches, hook);
  }
}

// Makes the table of this layer that of the stream's positions; rotated are those the tables hold.
void Decoder::rotate_to(int layer, const RowStream& stream, Rotated& rotated) {
  const size_t kind = window(layer) > 0 ? 1 : 0;
  if (rotated[kind] == stream.positions) return;
  rotated[kind] = stream.positions;
  ops_.rope_table(rotated[kind], inv_freq(layer), config_.rope_axes,
                  rope_[kind].resize(ops_, {stream.hidden.rows(), config_.d_head}));
}

// In place; heads (m, n, d_head). Does nothing in a model that does not norm its queries and keys.
void Decoder::norm_heads(const Tensor& heads, const DeviceArray& weight) {
  if (!config_.qk_norm) return;
  const Tensor rows(heads.data, heads.dtype, heads.device, {heads.shape[0] * heads.shape[1], config_.d_head});
  ops_.rms_norm(rows, weight.view(), config_.rms_eps, rows);
}

// Appends the keys and values of every row to its sequence's cache. Returns the normed rows (n_rows, d_model).
Tensor Decoder::append_keys(int layer, const RowStream& stream, std::span<KvCache* const> caches) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t m = stream.hidden.rows();
  const Tensor normed = normed_.resize(ops_, {m, config_.d_model});
  const Tensor k = k_.resize(ops_, {m, config_.n_kv_heads * config_.d_head});
  const Tensor v = v_.resize(ops_, {m, config_.n_kv_heads * config_.d_head});
  const Tensor k_heads = k.reshape_rows({config_.n_kv_heads, config_.d_head});
  const Tensor v_heads = v.reshape_rows({config_.n_kv_heads, config_.d_head});
  ops_.rms_norm(stream.hidden, w.input_norm.view(), config_.rms_eps, normed);
  ops_.linear(normed, *w.k, w.k_bias.view(), k);
  ops_.linear(normed, *w.v, w.v_bias.view(), v);
  norm_heads(k_heads, w.k_norm);
  ops_.rope(k_heads, rope(layer).view());
  std::vector<int32_t> places;
  for (size_t s = 0; s < stream.sequences.size(); ++s) {
    const Sequence& sequence = stream.sequences[s];
    places.clear();
    for (const Position& position : of_sequence(stream, sequence)) places.push_back(position.time);
    caches[s]->append(layer, k_heads.slice(sequence.begin, sequence.count),
                      v_heads.slice(sequence.begin, sequence.count), places);
  }
  return normed;
}

void Decoder::attend(int layer, const RowStream& stream, std::span<KvCache* const> caches, LayerHook& hook) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t m = stream.hidden.rows();
  const Tensor normed = append_keys(layer, stream, caches);
  const Tensor q = q_.resize(ops_, {m, config_.n_heads * config_.d_head});
  const Tensor q_heads = q.reshape_rows({config_.n_heads, config_.d_head});
  ops_.linear(normed, *w.q, w.q_bias.view(), q);
  norm_heads(q_heads, w.q_norm);
  ops_.rope(q_heads, rope(layer).view());

  std::vector<AttentionSegment> segments;
  for (size_t s = 0; s < stream.sequences.size(); ++s) {
    const Sequence& sequence = stream.sequences[s];
    segments.push_back(
        {sequence.begin,
         sequence.count,
         caches[s]->key_values(layer),
         {},
         true,
         {},
         visible_keys(config_.view, window(layer), sequence, of_sequence(stream, sequence), *caches[s], layer)});
  }
  // Where the normed rows were, which nobody reads any more.
  const Tensor attended = normed_.resize(ops_, {m, config_.n_heads * config_.d_head});
  ops_.attention(q_heads, segments, score_rule(), attended.reshape_rows({config_.n_heads, config_.d_head}));
  hook.attended(layer, stream, q_heads, segments, score_rule());
  add_linear(attended, *w.o, w.o_bias, w.attention_norm, {}, stream.hidden);
}

// What the convolution of this layer makes of the rows (n_rows, d_model), in scratch memory; every sequence's cache
// remembers them. A row sees those before it that are left, however far away they once stood.
Tensor Decoder::convolve(int layer, const RowStream& stream, std::span<KvCache* const> caches) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t m = stream.hidden.rows(), d = config_.d_model, reach = config_.conv_taps - 1;
  const Tensor normed = normed_.resize(ops_, {m, d});
  const Tensor gates = conv_.resize(ops_, {m, 3 * d});
  ops_.rms_norm(stream.hidden, w.input_norm.view(), config_.rms_eps, normed);
  ops_.linear(normed, *w.conv_in, w.conv_in_bias.view(), gates);
  const Tensor& convolved = normed;  // nobody reads the normed rows any more
  for (size_t s = 0; s < stream.sequences.size(); ++s) {
    const auto [begin, count] = std::pair(stream.sequences[s].begin, stream.sequences[s].count);
    ConvTail& tail = *caches[s]->tail(layer);
    const Tensor window = window_.resize(ops_, {reach + count, d});
    tail.copy_past(window.slice(0, reach));
    ops_.gated_conv(gates.slice(begin, count), w.conv.view(), w.conv_bias.view(), window,
                    convolved.slice(begin, count));
    tail.append(window.slice(reach, count));
  }
  return convolved;
}

void Decoder::feed_forward(int layer, const RowStream& stream) {
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  for_row_blocks(stream.hidden.rows(), config_.d_ff, [&](int64_t begin, int64_t count) {
    const Tensor rows = stream.hidden.slice(begin, count);
    const Tensor normed = normed_.resize(ops_, {count, config_.d_model});
    const Tensor gated = gated_.resize(ops_, {count, config_.d_ff});
    std::span<const float> gains = stream.gains;
    if (!gains.empty()) gains = gains.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
    ops_.rms_norm(rows, w.post_norm.view(), config_.rms_eps, normed);
    ops_.linear_gated(normed, *w.gate_up, w.gate_up_bias.view(), config_.activation, gated);
    add_linear(gated, *w.down, w.down_bias, w.ffn_norm, gains, rows);
  });
}

// to (m, d_model) += gain * norm(x w^T + bias) of every row; norm (d_model) and gains (m) may be empty.
void Decoder::add_linear(const Tensor& x, const PackedMatrix& w, const DeviceArray& bias, const DeviceArray& norm,
                         std::span<const float> gains, const Tensor& to) {
  if (norm.view().empty() && gains.empty()) return ops_.linear(x, w, bias.view(), to, /*accumulate=*/true);
  const Tensor added = added_.resize(ops_, {to.rows(), to.row_elements()});
  ops_.linear(x, w, bias.view(), added);
  if (!norm.view().empty()) ops_.rms_norm(added, norm.view(), config_.rms_eps, added);
  if (!gains.empty()) ops_.scale_rows(added, gains);
  ops_.add(to, added);
}

std::vector<KeyRange> Decoder::visible(int layer, const RowStream& stream, const Sequence& sequence,
                                       std::span<const int32_t> queries, std::span<const int32_t> keys) const {
  const auto positions = of_sequence(stream, sequence);
  // How many of the keys stand before this row.
  const auto before = [&](int64_t row) { return std::lower_bound(keys.begin(), keys.end(), row) - keys.begin(); };
  std::vector<KeyRange> ranges;
  for (int32_t query : queries) {
    KeyRange range{0, before(seen_until(config_.view, sequence, query))};
    if (has_window(config_.view, sequence, window(layer))) {
      const int32_t first = positions[static_cast<size_t>(query)].time - window(layer) + 1;
      const auto row = std::partition_point(positions.begin(), positions.end(),
                                            [&](const Position& position) { return position.time < first; });
      range.begin = before(row - positions.begin());
    }
    ranges.push_back(range);
  }
  return ranges;
}

void Decoder::logits(const Tensor& rows, const Tensor& out) {
  ops_.rms_norm(rows, weights_.norm.view(), config_.rms_eps, rows);
  ops_.linear(rows, *weights_.head, Tensor(), out);
}

Decoder::Probe Decoder::probe(int layer, const RowStream& stream, const Sequence& sequence,
                              std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) {
  if (config_.does_convolve(layer)) throw Error(ErrorCode::kInternal, "a layer that convolves was asked for attention");
  const DecoderLayer& w = weights_.layers[static_cast<size_t>(layer)];
  const Tensor hidden = stream.hidden.slice(sequence.begin, sequence.count);
  DeviceArray rows_memory, table_memory;  // not rope_, which the layers around this probe share
  // heads (n, n_heads, d_head) of these rows under one projection.
  const auto project = [&](std::span<const int32_t> rows, const PackedMatrix& matrix, const Tensor& bias,
                           const DeviceArray& norm, DeviceArray& memory) {
    const auto n = static_cast<int64_t>(rows.size());
    const Tensor picked = rows_memory.resize(ops_, {n, config_.d_model});
    ops_.gather_rows(hidden, rows, picked);
    const Tensor normed = normed_.resize(ops_, {n, config_.d_model});
    ops_.rms_norm(picked, w.input_norm.view(), config_.rms_eps, normed);
    const Tensor out = memory.resize(ops_, {n, matrix.outputs()});
    ops_.linear(normed, matrix, bias, out);
    const Tensor heads = out.reshape_rows({matrix.outputs() / config_.d_head, config_.d_head});
    norm_heads(heads, norm);
    if (!rope) return heads;
    std::vector<Position> positions;
    for (int32_t row : rows) positions.push_back(stream.positions[static_cast<size_t>(sequence.begin + row)]);
    const Tensor table = table_memory.resize(ops_, {n, config_.d_head});
    ops_.rope_table(positions, inv_freq(layer), config_.rope_axes, table);
    ops_.rope(heads, table);
    return heads;
  };
  const Tensor q = project(queries, *w.q, w.q_bias.view(), w.q_norm, q_);
  const Tensor k = project(keys, *w.k, w.k_bias.view(), w.k_norm, k_);
  return {q, k};
}

}  // namespace fovea
