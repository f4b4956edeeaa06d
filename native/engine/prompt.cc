#include "engine/prompt.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/timer.h"
#include "engine/output_stages.h"
#include "engine/stage_runner.h"
#include "engine/tower_stages.h"
#include "ops/host_copy.h"
#include "prune/gather.h"

namespace fovea {
namespace {

// Of tiles that go through the tower together, but one tile at least: more would not make products faster, and bounds
// scratch memory and the time until a cancellation is seen.
constexpr int64_t kRowsPerPass = 2560;
constexpr double kMaxPosition = 1 << 24;  // in time; f32 counts exactly as far

// Where the images of a sequence are: runs of image or video tokens cut into images of their rows. Image i of the
// sequence is image first_image + i of images.
std::vector<Span> find_spans(std::span<const int32_t> ids, const Model& model, const ImageRows& images,
                             size_t first_image) {
  std::vector<Span> spans;
  const auto n = static_cast<int64_t>(ids.size());
  for (int64_t row = 0; row < n;) {
    const int32_t token = ids[static_cast<size_t>(row)];
    if (token != model.image_token && token != model.video_token) {
      ++row;
      continue;
    }
    const size_t image = first_image + spans.size();
    if (image == images.count())
      throw Error(ErrorCode::kInvalidArgument, "input_ids hold image tokens for more than the " +
                                                   std::to_string(spans.size()) + " images that pixel_values hold");
    const int64_t count = images.image(image).prompt_rows;
    const int64_t end = std::min(n, row + count);
    const auto begin = ids.begin() + row;
    const auto got = std::find_if(begin, ids.begin() + end, [&](int32_t id) { return id != token; }) - begin;
    if (got != count)
      throw Error(ErrorCode::kInvalidArgument, "image " + std::to_string(spans.size()) + " has " + std::to_string(got) +
                                                   " image tokens in a row in input_ids; this model makes " +
                                                   std::to_string(count) + " rows of it");
    const bool is_joined = !spans.empty() && spans.back().begin + spans.back().count == row;
    spans.push_back({static_cast<int32_t>(image), row, count, row, count, is_joined});
    row += count;
  }
  return spans;
}

// Where the rows of an unpruned prompt of n rows stand. On grids, an image begins where text would, and its rows count
// up from there, in time, down and across.
std::vector<Position> prompt_positions(int64_t n, std::span<Span> spans, const ImageRows& images, bool on_grids) {
  std::vector<Position> positions;
  positions.reserve(static_cast<size_t>(n));
  int32_t next = 0;
  const auto line_until = [&](int64_t end) {
    while (std::ssize(positions) < end) positions.emplace_back(next++);
  };
  if (on_grids) {
    for (Span& span : spans) {
      line_until(span.begin);
      span.start = next;
      const auto image = static_cast<size_t>(span.image);
      const Raster& raster = images.image(image).taps.raster;
      const auto columns = static_cast<int32_t>(raster.columns);
      const auto of_moment = static_cast<int32_t>(raster.moments > 1 ? raster.moment_rows : span.count);
      for (int32_t row = 0; row < span.count; ++row) {
        const int32_t moment = row / of_moment, place = row % of_moment;
        const auto time = static_cast<int32_t>(static_cast<float>(moment) * images.moment_step(image));
        positions.emplace_back(next + time, next + place / columns, next + place % columns);
      }
      next = next_text_position(std::span(positions).subspan(static_cast<size_t>(span.begin)));
    }
  }
  line_until(n);
  return positions;
}

// rows (kept, d_features) of an image at their places among its image_rows.
TapValue output_tap(Ops& ops, const Tensor& rows, const EncodedImage& image, int64_t image_rows) {
  const int64_t width = rows.row_elements();
  const std::vector<float> host = host_copy(ops, rows);
  TapValue value{width, std::vector<float>(static_cast<size_t>(image_rows * width), 0.0F)};
  for (size_t i = 0; i < image.kept.size(); ++i)
    std::copy_n(host.begin() + static_cast<int64_t>(i) * width, width, value.numbers.begin() + image.kept[i] * width);
  return value;
}

// Numbers per patch as numbers per row, where fold x fold patches become one: their mean.
void fold_tap(int64_t fold, int64_t columns, TapValue& value) {
  const int64_t n_patches = static_cast<int64_t>(value.numbers.size()) / value.width;
  std::vector<float> sums(static_cast<size_t>(n_patches / (fold * fold) * value.width), 0.0F);
  for (int64_t patch = 0; patch < n_patches; ++patch) {
    const int64_t row = patch / columns / fold * (columns / fold) + patch % columns / fold;
    for (int64_t c = 0; c < value.width; ++c)
      sums[static_cast<size_t>(row * value.width + c)] +=
          value.numbers[static_cast<size_t>(patch * value.width + c)] / static_cast<float>(fold * fold);
  }
  value.numbers = std::move(sums);
}

// A stage without steps made the picture smaller.
void refuse_stages_in_tower(const LoweredPlan& plan, const Model& model) {
  if (model.prunes_in_tower()) return;
  const std::string fold = std::to_string(model.projector->fold());
  const std::string what = model.any_res
                               ? "this model arranges the rows of a picture's tiles in one grid"
                               : "this model's projector makes one row of " + fold + " x " + fold + " patches";
  for (const PlanStage& stage : plan.stages)
    if (!stage.steps.empty() &&
        (stage.hook == Hook::kPixels || stage.hook == Hook::kVisionLayer || stage.hook == Hook::kVisionOut))
      throw Error(ErrorCode::kPlan, "stage " + stage.name + " acts at the hook " + hook_name(stage.hook) + "; " + what +
                                        ", so none may leave before it. Use a method that acts behind the projector "
                                        "or inside the decoder");
}

// What a tap knows of a newline row. Nobody attends to one, but VFlowOpt takes it for as important as a whole tile.
float newline_value(const TowerTap& tap) { return tap.kind == TowerTap::Kind::kImportance ? 1.0F : 0.0F; }

// The tiles of a picture as one image.
std::shared_ptr<EncodedImage> arrange(Ops& ops, const AnyRes& any_res, const Arrangement& arrangement,
                                      std::span<const std::shared_ptr<EncodedImage>> tiles) {
  const int64_t tile_rows = tiles[0]->prompt_rows, width = any_res.newline().elements();
  const int64_t n_sources = std::ssize(tiles) * tile_rows + 1, n_rows = std::ssize(arrangement.rows);
  DeviceArray memory;
  const Tensor sources = memory.resize(ops, {n_sources, width});
  for (int64_t i = 0; i < std::ssize(tiles); ++i)
    ops.copy(tiles[static_cast<size_t>(i)]->projected.view(), sources.slice(i * tile_rows, tile_rows));
  ops.copy(any_res.newline().as_row(), sources.slice(n_sources - 1, 1));
  auto image = std::make_shared<EncodedImage>();
  image->prompt_rows = n_rows;
  image->kept.resize(arrangement.rows.size());
  std::iota(image->kept.begin(), image->kept.end(), 0);
  arrangement.apply(ops, sources, image->projected.resize(ops, {n_rows, width}));
  image->taps.raster = arrangement.raster;
  for (const auto& [tap, first] : tiles[0]->taps.values) {
    TapValue all{first.width, {}};
    for (const auto& tile : tiles) {
      const std::vector<float>& numbers = tile->taps.values.at(tap).numbers;
      all.numbers.insert(all.numbers.end(), numbers.begin(), numbers.end());
    }
    image->taps.values[tap] = arrangement.apply(std::move(all), newline_value(tap));
  }
  return image;
}

// The moments of a video as one image.
std::shared_ptr<EncodedImage> in_time(Ops& ops, std::span<const std::shared_ptr<EncodedImage>> moments) {
  const int64_t rows = moments[0]->prompt_rows, n_rows = std::ssize(moments) * rows;
  auto video = std::make_shared<EncodedImage>();
  video->prompt_rows = n_rows;
  video->kept.resize(static_cast<size_t>(n_rows));
  std::iota(video->kept.begin(), video->kept.end(), 0);
  const Tensor projected = video->projected.resize(ops, {n_rows, moments[0]->projected.view().row_elements()});
  video->taps.raster = moments[0]->taps.raster;
  video->taps.raster.moments = std::ssize(moments);
  video->taps.raster.moment_rows = rows;
  for (int64_t i = 0; i < std::ssize(moments); ++i) {
    const EncodedImage& moment = *moments[static_cast<size_t>(i)];
    ops.copy(moment.projected.view(), projected.slice(i * rows, rows));
    for (const auto& [tap, value] : moment.taps.values) {
      TapValue& all = video->taps.values[tap];
      all.width = value.width;
      all.numbers.insert(all.numbers.end(), value.numbers.begin(), value.numbers.end());
    }
  }
  video->reports = moments[0]->reports;
  for (StageReport& report : video->reports)
    report.images = {{n_rows, n_rows, report.keep_lists ? video->kept : std::vector<int32_t>()}};
  return video;
}

// How far apart moments of a video stand. Throws kInvalidArgument for seconds that no positions are left for.
float step_of_moments(const Model& model, const ImageInput& image, int64_t n_moments) {
  if (model.tokens_per_second == 0) return 1;
  const float step = model.tokens_per_second * static_cast<float>(image.seconds);
  if (!(step >= 0) || step * static_cast<double>(n_moments) > kMaxPosition)
    throw Error(ErrorCode::kInvalidArgument, "a video of " + std::to_string(n_moments) + " moments that are " +
                                                 std::to_string(image.seconds) +
                                                 " seconds apart is too long; check its frames per second");
  return step;
}

// Copies rows to an earlier place of the same memory, which they may overlap.
void move_up(Ops& ops, const Tensor& rows, const Tensor& to) {
  for (int64_t row = 0; row < rows.rows(); ++row) ops.copy(rows.slice(row, 1), to.slice(row, 1));
}

}  // namespace

bool ImageRows::encode(Model& model, const std::vector<ImageInput>& images, const LoweredPlan& plan, bool keep_lists,
                       ImageCache& cache, const std::atomic<bool>& cancelled, bool keep_features) {
  Ops& ops = *model.ops;
  const struct FreeScratch {  // also when this fails or is cancelled
    VisionTower& tower;
    ~FreeScratch() { tower.free_scratch(); }
  } free_scratch{*model.tower};
  images_.assign(images.size(), nullptr);
  if (!images.empty()) refuse_stages_in_tower(plan, model);
  const auto key_of = [&](size_t i) { return images[i].key + (keep_lists ? " lists" : ""); };
  const auto may_cache = [&](size_t i) { return !keep_features && !images[i].key.empty(); };
  int64_t n_rows = 0;
  std::vector<Tile> tiles;
  std::vector<Arrangement> arrangements;  // of the images, where tiles are arranged
  for (size_t i = 0; i < images.size(); ++i) {
    const ImageInput& image = images[i];
    const int64_t tile_rows = model.tower->rows_of(image.width, image.height);
    const int64_t frames = image.frames == 1 ? 1 : model.tower->facts().frames;
    if (image.frames < 1 || (image.frames > 1 && frames == 1) || image.frames % frames != 0)
      throw Error(ErrorCode::kInvalidArgument,
                  "an image has " + std::to_string(image.frames) + " frames; this model takes " +
                      (frames == 1 ? "pictures" : "multiples of " + std::to_string(frames)) + " only");
    const int64_t size = 3 * frames * image.width * image.height, held = std::ssize(image.pixels);
    const int64_t n_tiles = model.any_res ? held / size : image.frames / frames;
    if (n_tiles < 1 || held / size != n_tiles || held % size != 0)
      throw Error(ErrorCode::kInvalidArgument,
                  "pixel_values do not hold 3 x height x width numbers per image or frame");
    moment_steps_.push_back(image.frames > 1 ? step_of_moments(model, image, n_tiles) : 0);
    if (model.any_res) arrangements.push_back(model.any_res->arrange(n_tiles, image.picture));
    n_rows += n_tiles * tile_rows;
    n_tiles_ += n_tiles;
    if (may_cache(i)) images_[i] = cache.find(key_of(i));
    if (images_[i]) ++cached_;
    for (int64_t tile = 0; tile < n_tiles && !images_[i]; ++tile)
      tiles.push_back({i, image.pixels.data() + tile * size, frames, image.width, image.height, tile + 1 == n_tiles});
  }
  if (keep_features) features_ = features_memory_.resize(ops, {n_rows, model.tower->d_features()});
  const int64_t squares = model.projector->fold() * model.projector->fold();
  std::vector<std::shared_ptr<EncodedImage>> encoded(tiles.size());
  int64_t row = 0;        // of features_
  size_t first_tile = 0;  // of the image at hand
  for (size_t first = 0; first < tiles.size();) {
    const int64_t rows_each = model.tower->rows_of(tiles[first].width, tiles[first].height);
    size_t n = 1;  // tiles of the same size in this pass
    while ((static_cast<int64_t>(n) + 1) * rows_each <= kRowsPerPass && first + n < tiles.size() &&
           tiles[first + n].width == tiles[first].width && tiles[first + n].height == tiles[first].height &&
           tiles[first + n].frames == tiles[first].frames)
      ++n;
    const int64_t pass_rows = static_cast<int64_t>(n) * rows_each;
    const Tensor features = keep_features ? features_.slice(row, pass_rows)
                                          : pass_features_.resize(ops, {pass_rows, model.tower->d_features()});
    if (!encode_pass(model, std::span(tiles).subspan(first, n), plan, keep_lists, cancelled, features,
                     std::span(encoded).subspan(first, n), /*is_last=*/first + n == tiles.size()))
      return false;
    for (size_t end = first + n; first < end; ++first) {
      row += encoded[first]->projected.view().rows() * squares;
      if (!tiles[first].is_last) continue;
      const size_t image = tiles[first].image;
      const auto of_image = std::span(encoded).subspan(first_tile, first + 1 - first_tile);
      images_[image] = model.any_res         ? arrange(ops, *model.any_res, arrangements[image], of_image)
                       : of_image.size() > 1 ? in_time(ops, of_image)
                                             : of_image[0];
      std::fill(of_image.begin(), of_image.end(), nullptr);  // a picture's rows need not be there twice
      first_tile = first + 1;
      if (may_cache(image)) cache.insert(key_of(image), images_[image]);
    }
  }
  pass_features_ = {};
  if (!keep_features) return true;
  features_ = features_.slice(0, row);
  int64_t n_projected = 0;
  for (const auto& image : images_) n_projected += image->projected.view().rows();
  projected_ = projected_memory_.resize(ops, {n_projected, model.decoder->config().d_model});
  row = 0;
  for (const auto& image : images_) {
    const Tensor rows = image->projected.view().columns(0, projected_.row_elements());
    ops.copy(rows, projected_.slice(row, rows.rows()));
    row += rows.rows();
  }
  return true;
}

// Encodes tiles of one size together. features (their rows in the tower, d_features) ends with the rows that are left
// at its beginning. is_last: no other pass follows.
bool ImageRows::encode_pass(Model& model, std::span<const Tile> tiles, const LoweredPlan& plan, bool keep_lists,
                            const std::atomic<bool>& cancelled, const Tensor& features,
                            std::span<std::shared_ptr<EncodedImage>> encoded, bool is_last) {
  Ops& ops = *model.ops;
  const auto n = static_cast<int64_t>(tiles.size());
  const int64_t image_rows = features.rows() / n;
  const Tensor batch = pixels_.resize(ops, {n, 3 * tiles[0].frames, tiles[0].height, tiles[0].width});
  for (int64_t i = 0; i < n; ++i) ops.copy_from_host(tiles[static_cast<size_t>(i)].pixels, batch.slice(i, 1));
  const TowerFacts facts = model.tower->facts();
  const int64_t fold = model.projector->fold();
  const int64_t columns = tiles[0].width / facts.patch_size;
  const Raster raster{.columns = columns, .first = image_rows - columns * (tiles[0].height / facts.patch_size)};
  TowerStages stages(ops, plan, facts.n_layers, image_rows, raster, keep_lists);
  std::vector<std::vector<int32_t>> kept;
  if (!model.tower->forward(batch, stages, features, kept, cancelled)) return false;
  if (is_last) {  // projector and decoder need the memory more
    model.tower->free_scratch();
    pixels_ = {};
  }
  select_ms_ += stages.select_ms;
  int64_t row = 0, left = 0;  // of features: the image's first row, and how many rows stayed before it
  for (size_t i = 0; i < tiles.size(); ++i) {
    const auto image = std::make_shared<EncodedImage>();
    image->prompt_rows = image_rows / (fold * fold);
    image->kept = std::move(kept[i]);
    image->reports = std::move(stages.reports[i]);
    image->taps = std::move(stages.taps[i]);
    const Tensor output = features.slice(row, std::ssize(image->kept));
    row += output.rows();
    if (plan.taps.tower.contains({TowerTap::Kind::kOutput, -1}))
      image->taps.values[{TowerTap::Kind::kOutput, -1}] = output_tap(ops, output, *image, image_rows);
    const Timer timer;
    for (StageReport& report : run_output_stages(ops, plan, image->taps, image_rows, output, image->kept, keep_lists))
      image->reports.push_back(std::move(report));
    select_ms_ += timer.milliseconds();
    const int64_t count = std::ssize(image->kept);
    const Tensor rows = features.slice(left, count);
    if (rows.data != output.data) move_up(ops, output.slice(0, count), rows);
    left += count;
    const Tensor projected = image->projected.resize(
        ops, {count / (fold * fold), model.decoder->config().d_model * (1 + model.projector->planes())});
    model.projector->forward(rows, columns, projected);
    if (!ops.all_finite(projected))
      throw Error(ErrorCode::kNumeric,
                  "the rows of an image hold NaN or infinity; pixel_values or the weights are damaged");
    if (fold > 1) {
      for (auto& [tap, value] : image->taps.values) fold_tap(fold, columns, value);
      image->taps.raster.columns = columns / fold;
      image->kept.resize(static_cast<size_t>(image->prompt_rows));
      std::iota(image->kept.begin(), image->kept.end(), 0);
      for (StageReport& report : image->reports)
        report.images = {{image->prompt_rows, image->prompt_rows, keep_lists ? image->kept : std::vector<int32_t>()}};
    }
    encoded[i] = image;
  }
  return true;
}

int64_t ImageRows::prompt_rows() const {
  int64_t rows = 0;
  for (const auto& image : images_) rows += image->prompt_rows;
  return rows;
}

std::vector<TapValues> ImageRows::taps() const {
  std::vector<TapValues> taps;
  for (const auto& image : images_) taps.push_back(image->taps);
  return taps;
}

std::vector<StageReport> ImageRows::reports(size_t first, size_t n) const {
  if (n == 0) return {};
  std::vector<StageReport> reports = images_[first]->reports;
  for (size_t i = first + 1; i < first + n; ++i)
    for (size_t s = 0; s < reports.size(); ++s) reports[s].images.push_back(images_[i]->reports[s].images[0]);
  return reports;
}

Tensor plane_memory(Model& model, int64_t n, DeviceArray& memory) {
  const int64_t planes = model.projector->planes();
  return planes == 0 ? Tensor() : memory.resize(*model.ops, {n, planes * model.decoder->config().d_model});
}

size_t append_sequence(Model& model, std::span<const int32_t> ids, const ImageRows& images, size_t first_image,
                       Positions positions, const Tensor& memory, const Tensor& planes, RowStream& stream) {
  Sequence sequence;
  sequence.begin = static_cast<int64_t>(stream.positions.size());
  sequence.spans = find_spans(ids, model, images, first_image);
  stream.on_grids = !model.decoder->config().rope_axes.empty();
  const std::vector<Position> places = prompt_positions(std::ssize(ids), sequence.spans, images, stream.on_grids);
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
    const std::vector<int32_t>& kept = images.image(static_cast<size_t>(span.image)).kept;
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
  Tensor added;  // to the rows of this sequence, further down
  if (!planes.empty()) {
    added = planes.slice(sequence.begin, sequence.count);
    const std::vector<float> zeros(static_cast<size_t>(added.elements()), 0.0F);
    model.ops->copy_from_host(zeros.data(), added);
    stream.planes = planes.slice(0, sequence.begin + sequence.count);
  }
  for (const Span& span : sequence.spans) {
    const Tensor& rows = images.image(static_cast<size_t>(span.image)).projected.view();
    model.ops->copy(rows.columns(0, out.row_elements()), out.slice(span.begin, span.count));
    if (!added.empty())
      model.ops->copy(rows.columns(out.row_elements(), added.row_elements()), added.slice(span.begin, span.count));
  }
  for (int32_t row : sequence.origin) stream.positions.push_back(places[static_cast<size_t>(row)]);
  if (positions == Positions::kCompact) compact_positions(stream, sequence);
  stream.hidden = memory.slice(0, sequence.begin + sequence.count);
  const size_t n_images = sequence.spans.size();
  stream.sequences.push_back(std::move(sequence));
  return n_images;
}

}  // namespace fovea
