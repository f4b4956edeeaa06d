#include "engine/decoder_source.h"

#include <algorithm>

#include "base/error.h"
#include "prune/attention_mass.h"

namespace fovea {
AttentionMass DecoderSource::attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) {
  return mass(layer_, stream_, stream_.sequences[sequence_], queries, keys, rope);
}

AttentionMass DecoderSource::attend_at(int layer, std::span<const int32_t> queries, std::span<const int32_t> keys,
                                       bool rope) {
  const RowStream& then = input_of(layer);
  const auto& now = stream_.sequences[sequence_].origin;
  return mass(layer, then, then.sequences[0], find_rows(then.sequences[0], now, queries),
              find_rows(then.sequences[0], now, keys), rope);
}

AttentionMass DecoderSource::mass(int layer, const RowStream& stream, const Sequence& sequence,
                                  std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) {
  const Decoder::Probe probed = decoder_.probe(layer, stream, sequence, queries, keys, rope);
  return attention_mass(ops_, probed.q, probed.k, decoder_.score_rule(),
                        decoder_.visible(layer, stream, sequence, queries, keys));
}

// The mean over keys of q k is q times the mean key. These are scores before any cap.
std::vector<float> DecoderSource::mean_logits(std::span<const int32_t> rows) {
  const auto [q, k] = decoder_.probe(layer_, stream_, stream_.sequences[sequence_], rows, rows, /*rope=*/true);
  const auto n = static_cast<int64_t>(rows.size());
  const int64_t n_heads = q.shape[1], n_kv_heads = k.shape[1], d_head = q.shape[2];
  std::vector<float> queries(static_cast<size_t>(q.elements())), keys(static_cast<size_t>(k.elements()));
  ops_.copy_to_host(q, queries.data());
  ops_.copy_to_host(k, keys.data());
  const int64_t width = n_kv_heads * d_head;
  std::vector<double> mean_key(static_cast<size_t>(width), 0.0);
  for (size_t i = 0; i < keys.size(); ++i) mean_key[i % mean_key.size()] += double{keys[i]} / static_cast<double>(n);
  std::vector<float> logits;
  for (int64_t row = 0; row < n; ++row) {
    double sum = 0;
    for (int64_t head = 0; head < n_heads; ++head)
      for (int64_t c = 0; c < d_head; ++c)
        sum += queries[static_cast<size_t>((row * n_heads + head) * d_head + c)] *
               mean_key[static_cast<size_t>(head * n_kv_heads / n_heads * d_head + c)];
    logits.push_back(static_cast<float>(sum * double{decoder_.score_rule().scale} / static_cast<double>(n_heads)));
  }
  return logits;
}

std::optional<std::vector<double>> DecoderSource::ask(RowQuestion&& question) {
  const Raster of_image = raster(question.image);
  return ask_({std::move(question), layer_, of_image});
}

const TapValue& DecoderSource::tap(const TowerTap& tap, int32_t image) {
  return taps_.at(static_cast<size_t>(image)).values.at(tap);
}

Raster DecoderSource::raster(int32_t image) { return taps_.at(static_cast<size_t>(image)).raster; }

TapValue DecoderSource::keys(std::span<const int32_t> rows) {
  const Tensor k = decoder_.probe(layer_, stream_, stream_.sequences[sequence_], rows, rows, /*rope=*/false).k;
  return {k.shape[2], mean_over_heads(ops_, k)};
}

TapValue DecoderSource::patches(int32_t) {
  throw Error(ErrorCode::kInternal, "a stage behind the tower asks for a picture's patches");
}

}  // namespace fovea
