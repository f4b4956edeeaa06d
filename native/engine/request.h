// What can be asked of an engine, and what it answers. Mirrors lib/native/binding.ts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/depth_probe.h"
#include "engine/sample.h"
#include "model/projector/any_res.h"
#include "prune/stage_source.h"

namespace fovea {

// One image, normalised: a picture, one tile of it, a picture in all its tiles where these are arranged as one span
// (Model::any_res), or frames of a video, of which the tower takes TowerFacts::frames at a time.
struct ImageInput {
  std::vector<float> pixels;  // (3, height, width), or (n_tiles, 3, height, width), or (frames, 3, height, width)
  int64_t width = 0;
  int64_t height = 0;
  std::string key{};  // of its content and what the plan does to it in the tower, for ImageCache; "": not to be cached
  PictureSize picture{};  // of a picture in tiles
  int64_t frames = 1;     // above 1: of a video
  double seconds = 0;     // of a video: from one moment that the tower sees to the next
};

struct GenerateRequest {
  std::vector<int32_t> input_ids;  // (n_rows), one image token per visual row
  std::vector<ImageInput> images;
  std::string plan;  // lowered, JSON; "" for none
  SamplingParams sampling;
  int64_t max_tokens = 0;
  std::vector<int32_t> stop_ids;
  bool keep_lists = false;
  bool reuse = false;  // keys and values of earlier requests with the same beginning, and leave its own
};

struct ForwardRequest {
  int64_t batch = 0;
  std::vector<int32_t> input_ids;       // (batch, n_rows)
  std::vector<uint8_t> attention_mask;  // (batch, n_rows), 1 for rows that count
  std::vector<ImageInput> images;
  std::string plan;
  int64_t logits_to_keep = 0;  // last rows per sequence; 0: all
  bool taps = false;           // return vision features and projected rows too
  bool keep_lists = false;
  bool depth = false;  // measure what every layer does
};

struct StageReport {
  struct Image {
    int64_t rows_in = 0;
    int64_t rows_out = 0;
    std::vector<int32_t> kept;  // rows of the image, 0-based, ascending; only if asked for
  };
  struct Layer {  // of the decoder
    int64_t rows_in = 0;
    int64_t rows_out = 0;
    std::vector<std::vector<int32_t>> kept;  // per KV head, or one list for all: rows of the prompt; only if asked for
  };
  std::string name;
  bool keep_lists = false;
  std::string hook;           // as in a plan
  int layer = -1;             // of "vision-layer" and "decoder-layer"
  std::vector<Image> images;  // of stages that act on rows
  std::vector<Layer> layers;  // of stages that act on the KV cache
  std::optional<Image> text;  // of a stage over text: all its rows; kept: rows of the prompt
};

struct Timings {  // milliseconds
  double queue = 0, encode = 0, prefill = 0, decode = 0, select = 0;
};

struct TokensReport {
  std::vector<SampledToken> tokens;
  bool logprobs = false;  // the tokens' log-probabilities mean something
};

struct DraftReport {  // of self-speculative decoding
  int64_t verify_steps = 0;
  int64_t drafted = 0;         // tokens
  int64_t accepted = 0;        // of them
  std::vector<SubLayers> run;  // (n_layers) what drafts ran at the end
  int64_t proposals = 0;       // sets that the search scored
  double score = 0;            // of the best one
};

struct ExitReport {
  std::vector<int32_t> tokens;  // (n_layers) that stopped after each layer
};

struct EndReport {
  std::string finish_reason;  // "stop", "length", "cancelled"
  int64_t prompt_rows = 0;
  int64_t visual_rows = 0;
  int64_t cached_images = 0;  // whose rows were known from earlier requests
  int64_t cached_rows = 0;    // whose keys and values were known from earlier requests
  int64_t generated_tokens = 0;
  std::vector<StageReport> stages;
  Timings timings;
  std::vector<int32_t> kv_rows;  // (n_layers) rows of the prompt in the cache
  std::optional<DraftReport> draft;
  std::optional<ExitReport> exit;
};

struct HostTensor {
  std::vector<float> data;
  std::vector<int64_t> shape;
};

struct ForwardReport {
  HostTensor logits;                       // (batch, rows, vocab)
  HostTensor last_hidden;                  // (batch, d_model): each sequence's last row after the final norm
  std::vector<std::vector<int32_t>> rows;  // per sequence: input row of each row of logits
  HostTensor vision_features;              // (tiles of all images, rows in the tower, d_features), only with taps
  HostTensor projected;                    // (n_images, image_rows, d_model), only with taps
  std::vector<std::vector<StageReport>> stages;
  std::vector<DepthReport> depth;  // per sequence, only if asked for
};

// A stage asks which rows of an image matter; Engine::answer is waited for.
struct AskReport {
  RowQuestion question;
  int layer = -1;  // the decoder layer that the rows are about to enter; -1: before the decoder
  Raster raster;   // of the image
};

// Sends a question and waits for its answer: nothing if the request was cancelled meanwhile.
using Asker = std::function<std::optional<std::vector<double>>(AskReport)>;

struct ErrorReport {
  ErrorCode code;
  std::string message;
};

struct ProgressReport {  // of a load
  double fraction;
};

struct Event {
  uint32_t request;
  std::variant<TokensReport, EndReport, ForwardReport, ErrorReport, ProgressReport, AskReport> body;
};

// Whether nothing more comes of the event's request.
inline bool ends_request(const Event& event) {
  return !std::holds_alternative<TokensReport>(event.body) && !std::holds_alternative<ProgressReport>(event.body) &&
         !std::holds_alternative<AskReport>(event.body);
}

}  // namespace fovea
