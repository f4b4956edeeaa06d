#include "engine/steps.h"

#include <algorithm>

#include "engine/cache_stages.h"
#include "engine/hooks.h"
#include "model/decoder/visible_keys.h"
#include "ops/host_copy.h"

namespace fovea {
namespace {

std::vector<KvCache*> caches_of(std::span<Session* const> sessions) {
  std::vector<KvCache*> caches;
  for (Session* session : sessions) caches.push_back(&session->cache);
  return caches;
}

// Runs tokens through the decoder, rows_each of every session, one session after another. Returns the final stream.
Tensor run_tokens(Model& model, std::span<Session* const> sessions, std::span<const int32_t> ids, int64_t rows_each,
                  const std::vector<SubLayers>& run, DeviceArray& hidden) {
  const auto n = static_cast<int64_t>(ids.size());
  RowStream stream;
  stream.hidden = hidden.resize(*model.ops, {n, model.decoder->config().d_model});
  stream.positions.resize(ids.size());
  for (int64_t begin = 0; begin < n; begin += rows_each) stream.sequences.push_back({begin, rows_each, {}, {}});
  model.decoder->embed(ids, stream.hidden);
  DecodeHook hook(sessions, run);
  static const std::atomic<bool> kNever = false;  // a step is short: cancellation is seen between steps
  model.decoder->forward(stream, caches_of(sessions), hook, kNever);
  return stream.hidden;
}

// Everything of the rows that the decoder's keys and values depend on (n, d_model), or (n, d_model * (1 + planes)).
std::vector<float> input_rows(Ops& ops, const RowStream& stream) {
  std::vector<float> rows = host_copy(ops, stream.hidden);
  if (stream.planes.empty()) return rows;
  const std::vector<float> planes = host_copy(ops, stream.planes);
  const int64_t n = stream.hidden.rows(), d = stream.hidden.row_elements(), width = stream.planes.row_elements();
  std::vector<float> together;
  together.reserve(rows.size() + planes.size());
  for (int64_t row = 0; row < n; ++row) {
    together.insert(together.end(), rows.begin() + row * d, rows.begin() + (row + 1) * d);
    together.insert(together.end(), planes.begin() + row * width, planes.begin() + (row + 1) * width);
  }
  return together;
}

// Takes keys and values of the session's beginning from prefixes, as far as they are known, and those rows from the
// stream.
void resume(Ops& ops, PromptView view, Session& session, RowStream& stream, PrefixCache& prefixes) {
  session.input = {session.plan.prefill, stream.positions, input_rows(ops, stream), {}};
  for (int64_t row = 0; row < stream.hidden.rows(); ++row)
    session.input->sees.push_back(seen_until(view, stream.sequences.front(), row));
  const int64_t known = session.cached_rows = prefixes.resume(*session.input, session.cache);
  std::fill(session.next_position.begin(), session.next_position.end(),
            next_position(std::span(stream.positions).first(static_cast<size_t>(known))));
  stream.hidden = stream.hidden.slice(known, stream.hidden.rows() - known);
  if (!stream.planes.empty()) stream.planes = stream.planes.slice(known, stream.planes.rows() - known);
  stream.positions.erase(stream.positions.begin(), stream.positions.begin() + known);
  if (!stream.sizes.empty()) stream.sizes.erase(stream.sizes.begin(), stream.sizes.begin() + known);
  Sequence& sequence = stream.sequences.front();
  sequence.count -= known;
  sequence.origin.erase(sequence.origin.begin(), sequence.origin.begin() + known);
  for (Span& span : sequence.spans) {
    span.count -= std::clamp(known - span.begin, int64_t{0}, span.count);
    span.begin = std::max(int64_t{0}, span.begin - known);
  }
}

}  // namespace

bool prefill(Model& model, std::span<Session* const> sessions, RowStream& stream, const std::vector<TapValues>& taps,
             const std::atomic<bool>& cancelled, std::span<DepthReport> depth, PrefixCache* prefixes) {
  PrefillHook hook(*model.ops, *model.decoder, sessions, taps);
  hook.projected(stream);
  if (prefixes != nullptr) resume(*model.ops, model.decoder->config().view, *sessions.front(), stream, *prefixes);
  if (depth.empty()) {
    if (!model.decoder->forward(stream, caches_of(sessions), hook, cancelled)) return false;
  } else {
    DepthProbe probe(*model.ops, hook, depth);
    if (!model.decoder->forward(stream, caches_of(sessions), probe, cancelled)) return false;
    probe.finish(stream);
  }
  for (Session* session : sessions) compact_prefilled(*session);
  return true;
}

void decode_step(Model& model, std::span<Session* const> sessions, std::span<const int32_t> ids, DeviceArray& hidden,
                 const Tensor& logits) {
  model.decoder->logits(run_tokens(model, sessions, ids, 1, sessions.front()->plan.decode, hidden), logits);
  for (Session* session : sessions) compact_decoded(*session);
}

void decode_rows(Model& model, Session& session, std::span<const int32_t> ids, const std::vector<SubLayers>& run,
                 DeviceArray& hidden, DeviceArray& logits, std::vector<float>& host) {
  const auto n = static_cast<int64_t>(ids.size());
  const int64_t vocab = model.decoder->config().vocab;
  Session* const sessions[] = {&session};
  const Tensor out = logits.resize(*model.ops, {n, vocab});
  model.decoder->logits(run_tokens(model, sessions, ids, n, run, hidden), out);
  host.resize(static_cast<size_t>(n * vocab));
  model.ops->copy_to_host(out, host.data());
}

}  // namespace fovea
