#include "engine/prompt.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "engine/tower_stages.h"

namespace fovea {
namespace {

// Images of one tower pass: bounds its scratch memory and the time until a cancellation is seen.
constexpr size_t kImagesPerPass = 4;

// Where the images of a sequence are: runs of image tokens cut into images of their rows. Image i of the sequence is
// image first_image + i of images.
std::vector<Span> find_spans(std::span<const int32_t> ids, int32_t image_token, const ImageRows& images,
                             size_t first_image) {
  std::vector<Span> spans;
  const auto n = static_cast<int64_t>(ids.size());
  for (int64_t row = 0; row < n;) {
    if (ids[static_cast<size_t>(row)] != image_token) {
      ++row;
      continue;
    }
    const size_t image = first_image + spans.size();
    if (image == images.count())
      throw Error(ErrorCode::kInvalidArgument, "input_ids hold image tokens for more than the " +
                                                   std::to_string(spans.size()) + " images that pixel_values hold");
    const int64_t count = images.prompt_rows(image);
    const int64_t end = std::min(n, row + count);
    const auto begin = ids.begin() + row;
    const auto got = std::find_if(begin, ids.begin() + end, [&](int32_t id) { return id != image_token; }) - begin;
    if (got != count)
      throw Error(ErrorCode::kInvalidArgument, "image " + std::to_string(spans.size()) + " has " + std::to_string(got) +
                                                   " image tokens in a row in input_ids; this model makes " +
                                                   std::to_string(count) + " rows of it");
    spans.push_back({static_cast<int32_t>(image), row, count, row, count});
    row += count;
  }
  return spans;
}

}  // namespace

bool ImageRows::encode(Model& model, const std::vector<ImageInput>& images, const LoweredPlan& plan, bool keep_lists,
                       const std::atomic<bool>& cancelled, bool keep_features) {
  Ops& ops = *model.ops;
  const int64_t d_features = model.tower->d_features(), d_model = model.decoder->config().d_model;
  images_.clear();
  taps_.clear();
  for (const ImageInput& image : images) {
    images_.push_back({model.tower->rows_of(image.width, image.height), 0, {}, {}});
    if (static_cast<int64_t>(image.pixels.size()) != 3 * image.width * image.height)
      throw Error(ErrorCode::kInvalidArgument, "pixel_values do not hold 3 x height x width numbers per image");
  }
  const bool taps_output = plan.taps.contains({TowerTap::Kind::kOutput, -1});
  projected_ = projected_memory_.resize(ops, {total_prompt_rows(), d_model});
  if (keep_features) features_ = features_memory_.resize(ops, {total_prompt_rows(), d_features});
  DeviceArray pixels, pass_features;
  int64_t row = 0;
  for (size_t first = 0; first < images.size();) {
    size_t n = 1;  // images of the same size in this pass
    while (n < kImagesPerPass && first + n < images.size() && images[first + n].width == images[first].width &&
           images[first + n].height == images[first].height)
      ++n;
    const int64_t image_rows = images_[first].prompt_rows, n_rows = static_cast<int64_t>(n) * image_rows;
    const Tensor batch = pixels.resize(ops, {static_cast<int64_t>(n), 3, images[first].height, images[first].width});
    for (size_t i = 0; i < n; ++i)
      ops.copy_from_host(images[first + i].pixels.data(), batch.slice(static_cast<int64_t>(i), 1));
    const Tensor features =
        keep_features ? features_.slice(row, n_rows) : pass_features.resize(ops, {n_rows, d_features});
    TowerStages stages(ops, plan, model.tower->facts().n_layers, image_rows, keep_lists);
    std::vector<std::vector<int32_t>> kept;
    if (!model.tower->forward(batch, stages, features, kept, cancelled)) return false;
    int64_t left = 0;
    for (size_t i = 0; i < n; ++i) {
      Image& image = images_[first + i];
      image.begin = row + left;
      image.kept = std::move(kept[i]);
      image.reports = std::move(stages.reports[i]);
      taps_.push_back(std::move(stages.taps[i]));
      const auto count = static_cast<int64_t>(image.kept.size());
      if (taps_output) note_output(ops, features.slice(left, count), first + i);
      left += count;
    }
    select_ms_ += stages.select_ms;
    model.projector->forward(features.slice(0, left), projected_.slice(row, left));
    if (!ops.all_finite(projected_.slice(row, left)))
      throw Error(ErrorCode::kNumeric, "the rows of images " + std::to_string(first) + " to " +
                                           std::to_string(first + n - 1) +
                                           " hold NaN or infinity; pixel_values or the weights are damaged");
    row += left;
    first += n;
  }
  projected_ = projected_.slice(0, row);
  if (keep_features) features_ = features_.slice(0, row);
  return true;
}

// features (kept, d_features) of one image to their places among its prompt rows.
void ImageRows::note_output(Ops& ops, const Tensor& features, size_t index) {
  const Image& image = images_[index];
  const int64_t width = features.row_elements();
  std::vector<float> rows(static_cast<size_t>(features.elements()));
  ops.copy_to_host(features, rows.data());
  TapValue& value = taps_[index][{TowerTap::Kind::kOutput, -1}];
  value.width = width;
  value.numbers.assign(static_cast<size_t>(image.prompt_rows * width), 0.0F);
  for (size_t i = 0; i < image.kept.size(); ++i)
    std::copy_n(rows.begin() + static_cast<int64_t>(i) * width, width, value.numbers.begin() + image.kept[i] * width);
}

int64_t ImageRows::total_prompt_rows() const {
  return std::accumulate(images_.begin(), images_.end(), int64_t{0},
                         [](int64_t sum, const Image& image) { return sum + image.prompt_rows; });
}

Tensor ImageRows::projected(size_t index) const {
  const Image& image = images_[index];
  return projected_.slice(image.begin, static_cast<int64_t>(image.kept.size()));
}

std::vector<StageReport> ImageRows::reports(size_t first, size_t n) const {
  if (n == 0) return {};
  std::vector<StageReport> reports = images_[first].reports;
  for (size_t i = first + 1; i < first + n; ++i)
    for (size_t s = 0; s < reports.size(); ++s) reports[s].images.push_back(images_[i].reports[s].images[0]);
  return reports;
}

size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       Positions positions, const Tensor& memory, RowStream& stream) {
  Sequence sequence;
  sequence.begin = static_cast<int64_t>(stream.positions.size());
  sequence.spans = find_spans(ids, model.image_token, images, first_image);
  std::vector<int32_t> text;  // ids of the rows that are left
  int32_t next = 0;           // first row of the prompt not yet decided
  const auto text_until = [&](int64_t end) {
    for (; next < end; ++next) {
      text.push_back(ids[static_cast<size_t>(next)]);
      sequence.origin.push_back(next);
    }
  };
  for (Span& span : sequence.spans) {
    text_until(span.begin);
    const std::vector<int32_t>& kept = images.kept(static_cast<size_t>(span.image));
    next = static_cast<int32_t>(span.begin + span.count);
    span.begin = static_cast<int64_t>(text.size());
    span.count = static_cast<int64_t>(kept.size());
    for (int32_t row : kept) sequence.origin.push_back(static_cast<int32_t>(span.origin_begin + row));
    text.resize(text.size() + kept.size(), 0);  // any id: these rows are overwritten below
  }
  text_until(static_cast<int64_t>(ids.size()));
  sequence.count = static_cast<int64_t>(text.size());

  const int64_t vocab = model.decoder->config().vocab;
  for (int32_t id : text)
    if (id < 0 || id >= vocab)
      throw Error(ErrorCode::kInvalidArgument, "input_ids hold " + std::to_string(id) +
                                                   "; this model's vocabulary ends at " + std::to_string(vocab - 1));
  const Tensor out = memory.slice(sequence.begin, sequence.count);
  model.decoder->embed(text, out);
  for (const Span& span : sequence.spans)
    model.ops->copy(images.projected(static_cast<size_t>(span.image)), out.slice(span.begin, span.count));
  if (positions == Positions::kOriginal) {
    stream.positions.insert(stream.positions.end(), sequence.origin.begin(), sequence.origin.end());
  } else {
    for (int32_t i = 0; i < sequence.count; ++i) stream.positions.push_back(i);
  }
  stream.hidden = memory.slice(0, sequence.begin + sequence.count);
  const size_t n_images = sequence.spans.size();
  stream.sequences.push_back(std::move(sequence));
  return n_images;
}

}  // namespace fovea
