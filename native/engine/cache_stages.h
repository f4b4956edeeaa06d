// Executes the stages of a plan that act on a session's KV cache: at `prefilled` and `decode-step`.
#pragma once

#include "engine/session.h"

namespace fovea {

// Notes of a layer that attended what the session's stages at `hook` want to know. q (n_rows, n_heads, d_head): queries
// of a stream, of which `segment` says how the sequence's met the keys in the session's cache, by this rule.
void note_attention(Session& session, Hook hook, int layer, const Sequence& sequence, const Tensor& q,
                    const AttentionSegment& segment, ScoreRule rule);

// Runs the stages at `prefilled` and reports them; frees memory that they left.
void compact_prefilled(Session& session);

// Runs the stages at `decode-step`, once the layers have attended, and adds to their reports.
void compact_decoded(Session& session);

}  // namespace fovea
