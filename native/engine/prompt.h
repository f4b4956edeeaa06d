// Turns input ids and images into the rows that enter the decoder.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/image_cache.h"
#include "engine/request.h"
#include "model/model.h"
#include "ops/device_array.h"
#include "prune/plan.h"
#include "prune/row_stream.h"

namespace fovea {

// The rows of a request's images: tower, with the plan's stages inside it, then projector.
class ImageRows {
 public:
  // Images that cache knows are taken from there. With keep_features it is left alone, and all_features() and
  // all_projected() are there. Throws kInvalidArgument if an image does not fit the tower, kNumeric if its rows are
  // not finite, kPlan. Returns false if cancelled.
  bool encode(Model& model, const std::vector<ImageInput>& images, const LoweredPlan& plan, bool keep_lists,
              ImageCache& cache, const std::atomic<bool>& cancelled, bool keep_features);

  size_t count() const { return images_.size(); }
  const EncodedImage& image(size_t index) const { return *images_[index]; }
  // Of the plan's stages inside the tower, for images [first, first + n): one report per stage.
  std::vector<StageReport> reports(size_t first, size_t n) const;
  // Of a video: how far apart in position moments that the tower sees are.
  float moment_step(size_t index) const { return moment_steps_[index]; }
  std::vector<TapValues> taps() const;          // per image
  int64_t prompt_rows() const;                  // of all images
  int64_t n_tiles() const { return n_tiles_; }  // of all images
  int64_t cached() const { return cached_; }    // images that the cache had
  double select_ms() const { return select_ms_; }

  const Tensor& all_features() const { return features_; }    // (rows of all tiles in the tower, d_features)
  const Tensor& all_projected() const { return projected_; }  // (rows of all images, d_model)

 private:
  // What the tower sees at once: an image, one of those that it is arranged from, or a moment of a video.
  struct Tile {
    size_t image;         // of the request
    const float* pixels;  // (3 * frames, height, width)
    int64_t frames;       // above 1: of a video
    int64_t width, height;
    bool is_last;  // of its image
  };

  bool encode_pass(Model& model, std::span<const Tile> tiles, const LoweredPlan& plan, bool keep_lists,
                   const std::atomic<bool>& cancelled, const Tensor& features,
                   std::span<std::shared_ptr<EncodedImage>> encoded, bool is_last);

  DeviceArray features_memory_, projected_memory_, pixels_, pass_features_;
  Tensor features_, projected_;
  std::vector<std::shared_ptr<const EncodedImage>> images_;
  std::vector<float> moment_steps_;
  int64_t n_tiles_ = 0;
  int64_t cached_ = 0;
  double select_ms_ = 0;
};

// Appends one sequence: text rows from the embedding table, image tokens replaced, in order, by the rows that are left
// of images [first_image, …). memory (stream.positions.size() + ids.size() or more, d_model) holds the rows of the
// stream; planes (the same, planes * d_model) what decoder layers add to them, empty if the projector makes none.
// Returns how many images it took. Throws kInvalidArgument if image tokens and image rows do not match or an id is
// outside the vocabulary.
size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       Positions positions, const Tensor& memory, const Tensor& planes, RowStream& stream);

// Memory of n rows' planes, (n, planes * d_model); empty if the projector makes none.
Tensor plane_memory(Model& model, int64_t n, DeviceArray& memory);

}  // namespace fovea
