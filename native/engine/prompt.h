// Turns input ids and images into the rows that enter the decoder.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "model/model.h"
#include "ops/device_array.h"
#include "prune/plan.h"
#include "prune/row_stream.h"

namespace fovea {

// The rows of a request's images: tower, with the plan's stages inside it, then projector.
class ImageRows {
 public:
  // Throws kInvalidArgument if an image does not fit the tower, kNumeric if its rows are not finite, kPlan. Returns
  // false if cancelled.
  bool encode(Model& model, const std::vector<ImageInput>& images, const LoweredPlan& plan, bool keep_lists,
              const std::atomic<bool>& cancelled, bool keep_features);

  size_t count() const { return images_.size(); }
  // Image tokens of each image in the prompt: its rows before anything was dropped.
  int64_t prompt_rows(size_t image) const { return images_[image].prompt_rows; }
  // Places of the rows that the tower left, ascending, among prompt_rows.
  const std::vector<int32_t>& kept(size_t image) const { return images_[image].kept; }
  // The rows themselves (kept, d_model).
  Tensor projected(size_t image) const;
  // Of the plan's stages inside the tower, for images [first, first + n): one report per stage.
  std::vector<StageReport> reports(size_t first, size_t n) const;
  const std::vector<TapValues>& taps() const { return taps_; }
  double select_ms() const { return select_ms_; }

  int64_t total_prompt_rows() const;
  const Tensor& all_projected() const { return projected_; }  // (rows of all images, d_model)
  const Tensor& all_features() const { return features_; }    // (the same, d_features); only with keep_features

 private:
  struct Image {
    int64_t prompt_rows = 0;
    int64_t begin = 0;  // first row in projected_
    std::vector<int32_t> kept;
    std::vector<StageReport> reports;
  };

  void note_output(Ops& ops, const Tensor& features, size_t image);

  DeviceArray features_memory_, projected_memory_;
  Tensor features_, projected_;
  std::vector<Image> images_;
  std::vector<TapValues> taps_;
  double select_ms_ = 0;
};

// Appends one sequence: text rows from the embedding table, image tokens replaced, in order, by the rows that are left
// of images [first_image, …). memory (stream.positions.size() + ids.size() or more, d_model) holds the rows of the
// stream. Returns how many images it took. Throws kInvalidArgument if image tokens and image rows do not match or an
// id is outside the vocabulary.
size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       Positions positions, const Tensor& memory, RowStream& stream);

}  // namespace fovea
