// A stage while it runs on one sequence: the rows at hand and the named values that its steps hand to each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ops/device_array.h"
#include "prune/gather.h"
#include "prune/named.h"
#include "prune/row_stream.h"
#include "prune/stage_source.h"

namespace fovea {

struct Features {  // (count, d) one vector per row of a span
  Tensor view;
  std::shared_ptr<DeviceArray> memory;  // empty when the view is somebody else's
};

// Features of their own memory from n x width numbers on the host.
inline Features make_features(Ops& ops, int64_t n, int64_t width, const std::vector<float>& numbers) {
  auto memory = std::make_shared<DeviceArray>();
  const Tensor view = memory->resize(ops, {n, width});
  if (!numbers.empty()) ops.copy_from_host(numbers.data(), view);
  return {view, std::move(memory)};
}

// How many rows of each equal run of rows of a span stay; one run is the span.
using Quotas = std::vector<int64_t>;

struct StageRun {
  Ops& ops;
  RowStream& stream;
  size_t index;  // of the sequence in the stream
  StageSource& source;
  Positions positions;

  Named<Scores> scores;
  Named<RowSet> rows;
  Named<Features> features;
  Named<Features> vectors;  // that belong to no row; the same for every span, so they come once

  Named<Quotas> quotas = {};

  // A stage over text: its spans are the stretches of text before, between and behind the images.
  bool over_text = false;
  std::vector<Span> text = {};

  const Sequence& sequence() const { return stream.sequences[index]; }
  const std::vector<Span>& spans() const { return over_text ? text : sequence().spans; }
  // The rows of a span as they are now (count, d_model).
  Tensor hidden(const Span& span) const { return stream.hidden.slice(sequence().begin + span.begin, span.count); }
  // Where a row of a span stood in the image before anything was dropped.
  int64_t place(const Span& span, int64_t row) const {
    return sequence().origin[static_cast<size_t>(span.begin + row)] - span.origin_begin;
  }
  // Features by name; kHidden are the rows themselves.
  std::vector<Features> features_of(const std::string& name) const {
    if (name != kHidden) return features.get(name);
    std::vector<Features> all;
    for (const Span& span : spans()) all.push_back({hidden(span), nullptr});
    return all;
  }
  // Values describe the rows that were there when they were made.
  void forget_values() {
    scores.clear();
    rows.clear();
    features.clear();
    vectors.clear();
    quotas.clear();
    if (over_text) text = text_spans(sequence());
  }

  static constexpr const char* kHidden = "hidden";
};

}  // namespace fovea
