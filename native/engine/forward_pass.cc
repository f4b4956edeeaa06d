#include "engine/forward_pass.h"

#include <algorithm>
#include <memory>
#include <string>

#include "engine/prompt.h"
#include "engine/steps.h"

namespace fovea {
namespace {

constexpr int64_t kMaxBatch = 4096;
constexpr int64_t kMaxLogits = int64_t{1} << 30;  // numbers returned at once
constexpr int64_t kLogitsRows = 64;               // rows of logits computed at once

// The rows of one sequence that count, and where they stand in the input.
struct InputRows {
  std::vector<int32_t> ids;
  std::vector<int32_t> places;
};

std::vector<InputRows> read_inputs(const ForwardRequest& request, int64_t context) {
  const auto total = static_cast<int64_t>(request.input_ids.size());
  if (request.batch < 1 || request.batch > kMaxBatch || total == 0 || total % request.batch != 0)
    throw Error(ErrorCode::kInvalidArgument,
                "input_ids must have the shape (batch, rows) with at least one row and at most " +
                    std::to_string(kMaxBatch) + " sequences");
  if (request.attention_mask.size() != request.input_ids.size())
    throw Error(ErrorCode::kInvalidArgument, "attention_mask must have the shape of input_ids");
  const int64_t n_rows = total / request.batch;
  std::vector<InputRows> inputs(static_cast<size_t>(request.batch));
  for (int64_t i = 0; i < total; ++i) {
    if (request.attention_mask[static_cast<size_t>(i)] == 0) continue;
    InputRows& sequence = inputs[static_cast<size_t>(i / n_rows)];
    sequence.ids.push_back(request.input_ids[static_cast<size_t>(i)]);
    sequence.places.push_back(static_cast<int32_t>(i % n_rows));
  }
  for (size_t b = 0; b < inputs.size(); ++b) {
    const std::string name = "sequence " + std::to_string(b);
    if (inputs[b].ids.empty())
      throw Error(ErrorCode::kInvalidArgument, name + " is masked out completely by attention_mask");
    if (static_cast<int64_t>(inputs[b].ids.size()) > context)
      throw Error(ErrorCode::kContextLength, name + " has " + std::to_string(inputs[b].ids.size()) +
                                                 " rows; this model's context holds " + std::to_string(context));
  }
  return inputs;
}

// Without a plan that drops rows, logits stand where their input rows stand; otherwise they move together.
void return_logits(Model& model, const ForwardRequest& request, const std::vector<InputRows>& inputs,
                   const RowStream& stream, bool rows_dropped, ForwardReport& report) {
  const int64_t vocab = model.decoder->config().vocab, batch = request.batch;
  const int64_t n_input = static_cast<int64_t>(request.input_ids.size()) / batch;
  const bool in_place = !rows_dropped && request.logits_to_keep == 0;
  const auto rows_of = [&](const Sequence& s) {
    return request.logits_to_keep > 0 ? std::min(request.logits_to_keep, s.count) : s.count;
  };
  int64_t n_out = in_place ? n_input : 0;
  for (const Sequence& sequence : stream.sequences) n_out = std::max(n_out, rows_of(sequence));
  if (n_out > kMaxLogits / vocab / batch)
    throw Error(ErrorCode::kInvalidArgument, "the logits would have more than " + std::to_string(kMaxLogits) +
                                                 " numbers; use logits_to_keep or a smaller batch");
  report.logits = {std::vector<float>(static_cast<size_t>(batch * n_out * vocab)), {batch, n_out, vocab}};
  DeviceArray memory;
  for (size_t b = 0; b < stream.sequences.size(); ++b) {
    const Sequence& sequence = stream.sequences[b];
    std::vector<int32_t>& rows = report.rows.emplace_back(static_cast<size_t>(n_out), -1);
    float* out = report.logits.data.data() + static_cast<int64_t>(b) * n_out * vocab;
    const int64_t first = sequence.count - rows_of(sequence);
    for (int64_t row = first; row < sequence.count; row += kLogitsRows) {
      const int64_t n = std::min(kLogitsRows, sequence.count - row);
      const Tensor logits = memory.resize(*model.ops, {n, vocab});
      model.decoder->logits(stream.hidden.slice(sequence.begin + row, n), logits);
      for (int64_t i = 0; i < n; ++i) {
        const int32_t place = inputs[b].places[static_cast<size_t>(sequence.origin[static_cast<size_t>(row + i)])];
        const int64_t to = in_place ? place : row + i - first;
        model.ops->copy_to_host(logits.slice(i, 1), out + to * vocab);
        rows[static_cast<size_t>(to)] = place;
      }
    }
  }
}

// The last row of every sequence; its logits have been computed, which left it normalised.
HostTensor last_hidden(Model& model, const RowStream& stream) {
  const int64_t d_model = model.decoder->config().d_model, batch = static_cast<int64_t>(stream.sequences.size());
  HostTensor host{std::vector<float>(static_cast<size_t>(batch * d_model)), {batch, d_model}};
  float* out = host.data.data();
  for (const Sequence& sequence : stream.sequences) {
    model.ops->copy_to_host(stream.hidden.slice(sequence.begin + sequence.count - 1, 1), out);
    out += d_model;
  }
  return host;
}

HostTensor to_host(Model& model, const Tensor& x, int64_t n_images) {
  // Where a plan left images of different rows, they follow one another as if they were one.
  const int64_t together = n_images == 0 || x.rows() % n_images == 0 ? n_images : 1;
  HostTensor host{std::vector<float>(static_cast<size_t>(x.elements())),
                  {together, together == 0 ? 0 : x.rows() / together, x.row_elements()}};
  if (!host.data.empty()) model.ops->copy_to_host(x, host.data.data());
  return host;
}

}  // namespace

ForwardReport forward_pass(Model& model, ImageCache& cache, const ForwardRequest& request, const Asker& ask,
                           const std::atomic<bool>& cancelled) {
  const DecoderConfig& config = model.decoder->config();
  const std::vector<InputRows> inputs = read_inputs(request, config.context);
  const LoweredPlan plan = parse_plan(request.plan, model.plan_bounds());
  // A caller who aborted has stopped listening: whoever reads this lost the model.
  const auto stop = [] { throw Error(ErrorCode::kDisposed, "the model was disposed; load it again"); };
  ImageRows images;
  if (!images.encode(model, request.images, plan, request.keep_lists, cache, cancelled, request.taps)) stop();

  int64_t n_rows = 0;
  for (const InputRows& sequence : inputs) n_rows += static_cast<int64_t>(sequence.ids.size());
  DeviceArray hidden, planes;
  RowStream stream;
  const Tensor memory = hidden.resize(*model.ops, {n_rows, config.d_model});
  const Tensor added = plane_memory(model, n_rows, planes);
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<Session*> session_list;
  size_t image = 0;
  for (const InputRows& sequence : inputs) {
    const size_t n = append_sequence(model, sequence.ids, images, image, plan.positions, memory, added, stream);
    sessions.push_back(std::make_unique<Session>(*model.ops, config, plan, request.keep_lists));
    sessions.back()->prompt = sequence.ids;
    sessions.back()->ask = ask;
    sessions.back()->stages = images.reports(image, n);
    image += n;
    session_list.push_back(sessions.back().get());
  }
  if (image != images.count())
    throw Error(ErrorCode::kInvalidArgument, "pixel_values hold " + std::to_string(images.count()) +
                                                 " images; input_ids have image tokens for " + std::to_string(image));
  ForwardReport report;
  if (request.depth) report.depth.resize(sessions.size());
  if (!prefill(model, session_list, stream, images.taps(), cancelled, report.depth)) stop();

  return_logits(model, request, inputs, stream, stream.hidden.rows() != n_rows, report);
  report.last_hidden = last_hidden(model, stream);
  for (const auto& session : sessions) report.stages.push_back(std::move(session->stages));
  if (request.taps) {
    report.vision_features = to_host(model, images.all_features(), images.n_tiles());
    report.projected = to_host(model, images.all_projected(), static_cast<int64_t>(images.count()));
  }
  return report;
}

}  // namespace fovea
