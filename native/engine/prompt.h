// Turns input ids and images into the rows that enter the decoder.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "model/device_array.h"
#include "model/model.h"
#include "prune/row_stream.h"

namespace fovea {

// The rows of a request's images: tower, then projector.
class ImageRows {
 public:
  // Throws kInvalidArgument if an image does not fit the tower, kNumeric if its rows are not finite. Returns false if
  // cancelled.
  bool encode(Model& model, const std::vector<ImageInput>& images, const std::atomic<bool>& cancelled,
              bool keep_features);

  const std::vector<int64_t>& rows_per_image() const { return rows_per_image_; }
  int64_t total() const;
  const Tensor& projected() const { return projected_.view(); }  // (total, d_model)
  const Tensor& features() const { return features_.view(); }    // (total, d_features); only with keep_features

 private:
  DeviceArray features_, projected_;
  std::vector<int64_t> rows_per_image_;
};

// Appends one sequence: text rows from the embedding table, image tokens replaced, in order, by the rows of images
// [first_image, …). out: the sequence's rows of the stream (ids.size(), d_model). Returns how many images it took.
// Throws kInvalidArgument if image tokens and image rows do not match or an id is outside the vocabulary.
size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       const Tensor& out, RowStream& stream);

}  // namespace fovea
