// One forward pass over a batch, for people who measure: logits, features, rows; nothing is sampled or kept.
#pragma once

#include <atomic>

#include "engine/image_cache.h"
#include "engine/request.h"
#include "model/model.h"

namespace fovea {

// ask: the request's caller, for stages that do. Throws kInvalidArgument, kContextLength, kPlan. `cancelled` becoming
// true throws kDisposed.
ForwardReport forward_pass(Model& model, ImageCache& cache, const ForwardRequest& request, const Asker& ask,
                           const std::atomic<bool>& cancelled);

}  // namespace fovea
