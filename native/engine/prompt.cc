#include "engine/prompt.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace fovea {
namespace {

// Images of one tower pass: bounds its scratch memory and the time until a cancellation is seen.
constexpr size_t kImagesPerPass = 4;

// Where the images of a sequence are: runs of image tokens cut into images of the given rows.
std::vector<Span> find_spans(std::span<const int32_t> ids, int32_t image_token,
                             std::span<const int64_t> rows_per_image) {
  std::vector<Span> spans;
  const auto n = static_cast<int64_t>(ids.size());
  for (int64_t row = 0; row < n;) {
    if (ids[static_cast<size_t>(row)] != image_token) {
      ++row;
      continue;
    }
    const size_t image = spans.size();
    if (image == rows_per_image.size())
      throw Error(ErrorCode::kInvalidArgument, "input_ids hold image tokens for more than the " +
                                                   std::to_string(image) + " images that pixel_values hold");
    const int64_t count = rows_per_image[image];
    const int64_t end = std::min(n, row + count);
    const auto begin = ids.begin() + row;
    const auto got = std::find_if(begin, ids.begin() + end, [&](int32_t id) { return id != image_token; }) - begin;
    if (got != count)
      throw Error(ErrorCode::kInvalidArgument, "image " + std::to_string(image) + " has " + std::to_string(got) +
                                                   " image tokens in a row in input_ids; this model makes " +
                                                   std::to_string(count) + " rows of it");
    spans.push_back({static_cast<int32_t>(image), row, count, row, count});
    row += count;
  }
  return spans;
}

}  // namespace

bool ImageRows::encode(Model& model, const std::vector<ImageInput>& images, const std::atomic<bool>& cancelled,
                       bool keep_features) {
  Ops& ops = *model.ops;
  const int64_t d_features = model.tower->d_features(), d_model = model.decoder->config().d_model;
  rows_per_image_.clear();
  for (const ImageInput& image : images) {
    rows_per_image_.push_back(model.tower->rows_of(image.width, image.height));
    if (static_cast<int64_t>(image.pixels.size()) != 3 * image.width * image.height)
      throw Error(ErrorCode::kInvalidArgument, "pixel_values do not hold 3 x height x width numbers per image");
  }
  const Tensor projected = projected_.resize(ops, {total(), d_model});
  if (keep_features) features_.resize(ops, {total(), d_features});
  DeviceArray pixels, pass_features;
  int64_t row = 0;
  for (size_t first = 0; first < images.size();) {
    size_t n = 1;  // images of the same size in this pass
    while (n < kImagesPerPass && first + n < images.size() && images[first + n].width == images[first].width &&
           images[first + n].height == images[first].height)
      ++n;
    const int64_t n_rows = static_cast<int64_t>(n) * rows_per_image_[first];
    const Tensor batch = pixels.resize(ops, {static_cast<int64_t>(n), 3, images[first].height, images[first].width});
    for (size_t i = 0; i < n; ++i)
      ops.copy_from_host(images[first + i].pixels.data(), batch.slice(static_cast<int64_t>(i), 1));
    const Tensor features =
        keep_features ? features_.view().slice(row, n_rows) : pass_features.resize(ops, {n_rows, d_features});
    if (!model.tower->forward(batch, features, cancelled)) return false;
    model.projector->forward(features, projected.slice(row, n_rows));
    if (!ops.all_finite(projected.slice(row, n_rows)))
      throw Error(ErrorCode::kNumeric, "the rows of images " + std::to_string(first) + " to " +
                                           std::to_string(first + n - 1) +
                                           " hold NaN or infinity; pixel_values or the weights are damaged");
    row += n_rows;
    first += n;
  }
  return true;
}

int64_t ImageRows::total() const { return std::accumulate(rows_per_image_.begin(), rows_per_image_.end(), int64_t{0}); }

size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       const Tensor& out, RowStream& stream) {
  const std::span<const int64_t> rows_per_image = std::span(images.rows_per_image()).subspan(first_image);
  Sequence sequence;
  sequence.begin = static_cast<int64_t>(stream.positions.size());
  sequence.count = static_cast<int64_t>(ids.size());
  sequence.origin.resize(ids.size());
  std::iota(sequence.origin.begin(), sequence.origin.end(), 0);
  sequence.spans = find_spans(ids, model.image_token, rows_per_image);

  std::vector<int32_t> text(ids.begin(), ids.end());
  // The image token may lie outside the embedding table; its rows are overwritten below.
  if (!sequence.spans.empty()) std::replace(text.begin(), text.end(), model.image_token, 0);
  const int64_t vocab = model.decoder->config().vocab;
  for (int32_t id : text)
    if (id < 0 || id >= vocab)
      throw Error(ErrorCode::kInvalidArgument, "input_ids hold " + std::to_string(id) +
                                                   "; this model's vocabulary ends at " + std::to_string(vocab - 1));
  model.decoder->embed(text, out);
  int64_t image_row = std::accumulate(images.rows_per_image().begin(),
                                      images.rows_per_image().begin() + static_cast<int64_t>(first_image), int64_t{0});
  for (const Span& span : sequence.spans) {
    model.ops->copy(images.projected().slice(image_row, span.count), out.slice(span.begin, span.count));
    image_row += span.count;
  }
  stream.positions.insert(stream.positions.end(), sequence.origin.begin(), sequence.origin.end());
  const size_t n_images = sequence.spans.size();
  stream.sequences.push_back(std::move(sequence));
  return n_images;
}

}  // namespace fovea
