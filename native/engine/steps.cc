#include "engine/steps.h"

#include "engine/hooks.h"

namespace fovea {
namespace {

std::vector<KvCache*> caches_of(std::span<Session* const> sessions) {
  std::vector<KvCache*> caches;
  for (Session* session : sessions) caches.push_back(&session->cache);
  return caches;
}

}  // namespace

bool prefill(Model& model, std::span<Session* const> sessions, RowStream& stream, const std::vector<TapValues>& taps,
             const std::atomic<bool>& cancelled) {
  for (size_t i = 0; i < sessions.size(); ++i) sessions[i]->prompt_rows = stream.sequences[i].origin.back() + 1;
  PrefillHook hook(*model.ops, *model.decoder, sessions, taps);
  hook.projected(stream);
  return model.decoder->forward(stream, caches_of(sessions), hook, cancelled);
}

void decode_step(Model& model, std::span<Session* const> sessions, std::span<const int32_t> ids, DeviceArray& hidden,
                 const Tensor& logits) {
  const auto n = static_cast<int64_t>(sessions.size());
  RowStream stream;
  stream.hidden = hidden.resize(*model.ops, {n, model.decoder->config().d_model});
  stream.positions.resize(sessions.size());
  for (int64_t i = 0; i < n; ++i) stream.sequences.push_back({i, 1, {}, {}});
  model.decoder->embed(ids, stream.hidden);
  DecodeHook hook(sessions);
  static const std::atomic<bool> kNever = false;  // a step is short: cancellation is seen between steps
  model.decoder->forward(stream, caches_of(sessions), hook, kNever);
  model.decoder->logits(stream.hidden, logits);
}

}  // namespace fovea
