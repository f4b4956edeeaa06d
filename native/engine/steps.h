// The steps of generation: prefill (many rows per session), decode_step (one row per session) and decode_rows (many
// rows of one session at once).
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "engine/depth_probe.h"
#include "engine/session.h"
#include "model/model.h"
#include "ops/device_array.h"
#include "prune/row_stream.h"

namespace fovea {

// Runs the prompts in stream, one sequence per session, through the decoder, executing each session's plan. taps: what
// the tower noted, per image of the request. Afterwards stream holds the rows that are left. Returns false if
// cancelled. depth: empty, or a report per session to fill with what every layer did. prefixes: for one session whose
// plan has no stage behind `projected`; rows at its beginning that are known there do not run again.
bool prefill(Model& model, std::span<Session* const> sessions, RowStream& stream, const std::vector<TapValues>& taps,
             const std::atomic<bool>& cancelled, std::span<DepthReport> depth = {}, PrefixCache* prefixes = nullptr);

// Appends one token to each session: ids (n_sessions) to logits (n_sessions, vocab). hidden is memory to reuse.
// All sessions must agree on which sub-layers run while decoding.
void decode_step(Model& model, std::span<Session* const> sessions, std::span<const int32_t> ids, DeviceArray& hidden,
                 const Tensor& logits);

// Appends tokens to one session with these sub-layers running (n_layers): ids (n) to host (n, vocab). What decode_step
// does for one after another it does at once, bit for bit. hidden and logits are memory to reuse.
void decode_rows(Model& model, Session& session, std::span<const int32_t> ids, const std::vector<SubLayers>& run,
                 DeviceArray& hidden, DeviceArray& logits, std::vector<float>& host);

}  // namespace fovea
