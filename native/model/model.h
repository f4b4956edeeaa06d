// A loaded vision-language model: its three parts, the backend they run on, and the facts a caller may ask for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "io/tensor_source.h"
#include "model/decoder/decoder.h"
#include "model/packed_cache.h"
#include "model/projector/any_res.h"
#include "model/projector/projector.h"
#include "model/vision/vision_tower.h"
#include "ops/ops.h"

namespace fovea {

struct LoadOptions {
  std::string dtype = "auto";               // weights in memory: "auto" (see Weights), "f32", "bf16", "f16"
  int threads = 0;                          // 0: every core this process may use
  std::string mmproj;                       // of a GGUF file: the file that holds its tower and projector
  std::string weight_cache;                 // the file of a PackedCache, or none
  std::function<void(double)> on_progress;  // see Weights
};

struct Model {
  std::string family;
  std::string dtype;  // of most weights in memory
  int64_t parameters = 0;
  int64_t weight_bytes = 0;  // packed
  int32_t image_token = 0;
  std::optional<int32_t> video_token{};  // stands for rows of videos where they have a token of their own
  float tokens_per_second = 0;           // positions that a second of a video is long; 0: each moment is one
  int64_t image_rows = 0;                // of one image or tile at the tower's own size

  // Destroyed from the last to the first: everything below uses ops.
  std::unique_ptr<Ops> ops;
  std::unique_ptr<TensorSource> files;        // mapped; the decoder may read its embeddings from it
  std::unique_ptr<PackedCache> packed_cache;  // may hold the matrices of what follows; or null
  std::unique_ptr<VisionTower> tower;
  std::unique_ptr<Projector> projector;
  std::unique_ptr<AnyRes> any_res;  // of families that arrange a picture's tiles as one span; otherwise none
  std::unique_ptr<Decoder> decoder;

  std::unique_ptr<PlanFiles> plan_files;

  // Whether rows may leave before the projector: one that folds squares of patches needs them all, and so does a grid
  // that tiles are arranged in.
  bool prunes_in_tower() const { return projector->fold() == 1 && !any_res; }

  PlanBounds plan_bounds() const {
    return {decoder->config().n_layers, tower ? tower->facts().n_layers : 0, decoder->config().d_model,
            plan_files.get(), decoder->config().convolves};
  }
};

// Loads a Hugging Face folder, or a GGUF file and its mmproj. Throws kModelNotFound, kModelFormat, kModelUnsupported,
// kNumeric, kOutOfMemory, kIsa.
std::unique_ptr<Model> load_model(const std::string& path, const LoadOptions& options);

}  // namespace fovea
