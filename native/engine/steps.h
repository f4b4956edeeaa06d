// The two steps of generation: prefill (many rows per session) and decode_step (one row per session).
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "engine/session.h"
#include "model/model.h"
#include "ops/device_array.h"
#include "prune/row_stream.h"

namespace fovea {

// Runs the prompts in stream, one sequence per session, through the decoder, executing each session's plan. taps: what
// the tower noted, per image of the request. Afterwards stream holds the rows that are left. Returns false if
// cancelled.
bool prefill(Model& model, std::span<Session* const> sessions, RowStream& stream, const std::vector<TapValues>& taps,
             const std::atomic<bool>& cancelled);

// Appends one token to each session: ids (n_sessions) to logits (n_sessions, vocab). hidden is memory to reuse.
// All sessions must agree on which sub-layers run while decoding.
void decode_step(Model& model, std::span<Session* const> sessions, std::span<const int32_t> ids, DeviceArray& hidden,
                 const Tensor& logits);

}  // namespace fovea
