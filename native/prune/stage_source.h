// What the steps of a stage may ask of the place they run at: the attention of the layer at hand, and what the vision
// tower noted of an image. The engine implements it for every hook.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "prune/row_stream.h"
#include "prune/tower_tap.h"
#include "tensor/tensor.h"

namespace fovea {

// Attention probabilities of some query rows, summed over them: one number per head and key.
struct AttentionMass {
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;  // query head h reads key head h * n_kv_heads / n_heads
  int64_t n_keys = 0;
  std::vector<float> numbers;  // (n_heads, n_keys)

  std::vector<float> mean_over_heads() const;  // (n_keys)
};

// What the caller of a request is asked about one image: which of its rows matter. Numbers on the host.
struct RowQuestion {
  std::string use;              // whose answer is wanted
  bool scores = false;          // a number per row; otherwise the rows that stay, ascending
  int32_t image = 0;            // of the request
  int64_t width = 0;            // d_model
  std::vector<float> rows;      // (n, width) as they enter the stage
  std::vector<int32_t> places;  // (n) where they stood in the image before anything was dropped
  std::vector<float> text;      // (n_text, width): the rows of the sequence that belong to no image
};

class StageSource {
 public:
  virtual ~StageSource() = default;

  // What the layer at this hook would attend to if it ran now. queries and keys: rows of the sequence, ascending; a
  // query sees the keys that its layer lets it see. rope: with rotated queries and keys, as the layer does it.
  // Throws kPlan at hooks that have no attention; native/prune/plan.cc refuses such plans before they run.
  virtual AttentionMass attend(std::span<const int32_t> queries, std::span<const int32_t> keys, bool rope) = 0;

  // The same of an earlier decoder layer as it ran, and the rows of the sequence as they entered it: a stream of one
  // sequence whose rows are this sequence's and those that it has lost since. The plan asked for it
  // (PlanTaps::inputs), so it is there.
  virtual AttentionMass attend_at(int, std::span<const int32_t>, std::span<const int32_t>, bool) { refuse(); }
  virtual const RowStream& input_of(int) { refuse(); }

  // How alike rows of the sequence are in the attention of the layer at hand: per row, the scaled q k^T before any
  // softmax or mask, mean over heads and over these rows as keys.
  virtual std::vector<float> mean_logits(std::span<const int32_t>) { refuse(); }

  // The caller's answer; nothing if the request was cancelled meanwhile.
  virtual std::optional<std::vector<double>> ask(RowQuestion&&) { refuse(); }

  // Token ids of the unpruned prompt.
  virtual std::span<const int32_t> prompt() { refuse(); }

  // What the tower noted for tap, of one image of the request: `width` numbers for each row that the image has before
  // anything is dropped. The plan asked for it (LoweredPlan::taps), so it is there.
  virtual const TapValue& tap(const TowerTap& tap, int32_t image) = 0;

  // How the rows of an image lie in the picture.
  virtual Raster raster(int32_t image) = 0;

  // Keys of the layer at this hook, mean over heads, for rows of the sequence (ascending), not rotated: places are no
  // likeness. Only inside the tower and the decoder: parsers refuse other hooks.
  virtual TapValue keys(std::span<const int32_t> rows) = 0;

  // What each row of the sequence attends to among all of them: per head, (n, n). Only inside the tower.
  virtual std::vector<std::vector<float>> attention_of_all() { refuse(); }

  // Normalised pixels of each patch of an image (n_patches, 3 * patch_size^2). Only at the hook pixels.
  virtual TapValue patches(int32_t image) = 0;

 private:
  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::kInternal, "a stage asks for layers that are not at its hook");
  }
};

}  // namespace fovea
