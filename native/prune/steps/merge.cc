// {"do":"merge","by":B,…,"reduce":R}: rows of each span take in others before those are gathered away.
//   "nearest": each of "from" goes into the most similar of "into" (rows), by "features".
//   "neighbours": each of "into" takes in the "count" of "from" most like it; one may go to several.
//   "density": "rows" gather round as many of them as "keep" (a budget, of rows) says, by "features". "to": those.
//   "bipartite": every second row goes into the most similar of those between, by "features"; a source is held back by
//     "coefficient" times its "penalty" (scores; both may be left out). As many go as "keep" (a budget) or "remove" (a
//     number) say, at most all sources. Counted from the sequence's first row, so that a class row is the first source,
//     which never goes; or only among "rows", the first of which is a source. "to": the rows that are left.
//   "cells": rows in the same square of the picture, "side" patches wide, become one; of all rows, or of "rows"; the
//     one of the largest "weight" (scores) takes the others in. "to": the rows that are left.
// R is "mean", "sizeMean", "addMean" or, by "weight", "weightedMean", "addWeighted" or "weightedSum"; see
// prune/merge.h. Rows that were merged by sizeMean count as that many in the attention of the layers behind, where the
// model can weigh them.
#include "prune/merge.h"

#include <cmath>

#include "prune/select_beside.h"
#include "prune/steps/parse.h"
#include "prune/steps/steps.h"

namespace fovea {
namespace {

struct Merge : Step {
  Reduce reduce;
  std::string weight;  // scores; may be empty

  std::span<const float> weight_of(const StageRun& run, size_t span) const {
    return weight.empty() ? std::span<const float>() : std::span<const float>(run.scores.get(weight)[span]);
  }

 protected:
  void merge(StageRun& run, size_t i, const std::vector<Fold>& chosen) const {
    const Span& span = run.spans()[i];
    std::vector<float> ones(static_cast<size_t>(span.count), 1.0F);
    std::span<float> sizes = ones;
    if (reduce == Reduce::kSizeMean) {
      if (run.stream.sizes.empty()) run.stream.sizes.assign(static_cast<size_t>(run.stream.hidden.rows()), 1.0F);
      sizes = std::span(run.stream.sizes)
                  .subspan(static_cast<size_t>(run.sequence().begin + span.begin), static_cast<size_t>(span.count));
    }
    merge_rows(run.ops, run.hidden(span), sizes, chosen, reduce, weight_of(run, i));
  }
};

// What is left of the span are the rows that fold into no other.
struct MergeStep : Merge {
  std::string to;  // rows that are left; may be empty

  virtual std::vector<Fold> folds(StageRun& run, size_t span) const = 0;

  void run(StageRun& run) const override {
    std::vector<RowSet> left;
    for (size_t i = 0; i < run.spans().size(); ++i) {
      const std::vector<Fold> chosen = folds(run, i);
      RowSet gone;
      for (const Fold& fold : chosen) gone.push_back(fold.from);
      std::sort(gone.begin(), gone.end());
      gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
      left.push_back(other_rows(run.spans()[i].count, gone));
      if (!chosen.empty()) merge(run, i, chosen);
    }
    if (!to.empty()) run.rows.set(to, std::move(left));
  }
};

struct NearestStep final : MergeStep {
  std::string features, from, into;
  std::vector<Fold> folds(StageRun& run, size_t span) const override {
    return fold_nearest(run.ops, run.features_of(features)[span].view, run.rows.get(from)[span],
                        run.rows.get(into)[span]);
  }
};

struct NeighboursStep final : MergeStep {
  std::string features, from, into;
  int64_t count = 1;
  std::vector<Fold> folds(StageRun& run, size_t span) const override {
    return fold_neighbours(run.ops, run.features_of(features)[span].view, run.rows.get(from)[span],
                           run.rows.get(into)[span], count);
  }
};

// What is left of the rows are the centres.
struct DensityStep final : Merge {
  std::string features, rows, to;
  KeepBudget keep;
  void run(StageRun& run) const override {
    std::vector<RowSet> centres;
    for (size_t i = 0; i < run.spans().size(); ++i) {
      const RowSet& own = run.rows.get(rows)[i];
      Span span = run.spans()[i];
      span.count = std::ssize(own);
      Clusters clusters = cluster_by_density(run.ops, run.features_of(features)[i].view, own, allocate(keep, span));
      if (!clusters.folds.empty()) merge(run, i, clusters.folds);
      centres.push_back(std::move(clusters.centres));
    }
    run.rows.set(to, std::move(centres));
  }
};

struct BipartiteStep final : MergeStep {
  std::string features, penalty;
  std::string rows;  // empty: all
  float coefficient = 1;
  KeepBudget keep;
  int64_t remove = 0;  // instead of keep, when not 0
  std::vector<Fold> folds(StageRun& run, size_t i) const override {
    const Span& span = run.spans()[i];
    std::vector<float> held_back;
    if (!penalty.empty())
      for (float value : run.scores.get(penalty)[i]) held_back.push_back(coefficient * value);
    const RowSet taking_part = rows.empty() ? other_rows(span.count, {}) : run.rows.get(rows)[i];
    return fold_bipartite(run.ops, run.features_of(features)[i].view, taking_part, !rows.empty() || span.begin % 2 == 0,
                          held_back, remove > 0 ? remove : span.count - allocate(keep, span));
  }
};

struct CellsStep final : MergeStep {
  double side = 1;
  std::string rows;  // empty: all
  std::vector<Fold> folds(StageRun& run, size_t i) const override {
    const Span& span = run.spans()[i];
    const RowSet candidates = rows.empty() ? other_rows(span.count, {}) : run.rows.get(rows)[i];
    std::vector<Fold> folds;
    for (const Raster::Part& part : run.source.raster(span.image).parts()) {
      std::vector<int32_t> chosen, places;
      for (int32_t row : candidates) {
        const int64_t place = run.place(span, row);
        if (place < part.first || place >= part.end) continue;  // a class row is nowhere in the picture
        chosen.push_back(row);
        places.push_back(static_cast<int32_t>(place - part.first));
      }
      const std::vector<Fold> inside = fold_cells(chosen, places, part.columns, side, weight_of(run, i));
      folds.insert(folds.end(), inside.begin(), inside.end());
    }
    return folds;
  }
};

template <typename S>
std::unique_ptr<S> read(const Json& json, StepScope& scope) {
  auto step = std::make_unique<S>();
  step->reduce = choice<Reduce>(json, "reduce",
                                {{"mean", Reduce::kMean},
                                 {"sizeMean", Reduce::kSizeMean},
                                 {"addMean", Reduce::kAddMean},
                                 {"weightedMean", Reduce::kWeightedMean},
                                 {"addWeighted", Reduce::kAddWeighted},
                                 {"weightedSum", Reduce::kWeightedSum}});
  const bool weighs = step->reduce == Reduce::kWeightedMean || step->reduce == Reduce::kAddWeighted ||
                      step->reduce == Reduce::kWeightedSum;
  if (weighs || json.has("weight")) step->weight = scope.use(json, "weight", StepScope::Kind::kScores);
  return step;
}

}  // namespace

std::unique_ptr<const Step> parse_merge_nearest(const Json& json, StepScope& scope) {
  auto step = read<NearestStep>(json, scope);
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->from = scope.use(json, "from", StepScope::Kind::kRows);
  step->into = scope.use(json, "into", StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_merge_neighbours(const Json& json, StepScope& scope) {
  auto step = read<NeighboursStep>(json, scope);
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->from = scope.use(json, "from", StepScope::Kind::kRows);
  step->into = scope.use(json, "into", StepScope::Kind::kRows);
  step->count = json.required_int("count");
  if (step->count < 1) json.refuse("count", "an integer of at least 1");
  return step;
}

std::unique_ptr<const Step> parse_merge_density(const Json& json, StepScope& scope) {
  auto step = read<DensityStep>(json, scope);
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  step->keep = parse_budget(json.required_object("keep"));
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_merge_bipartite(const Json& json, StepScope& scope) {
  auto step = read<BipartiteStep>(json, scope);
  step->features = scope.use(json, "features", StepScope::Kind::kFeatures);
  if (json.has("penalty")) {
    step->penalty = scope.use(json, "penalty", StepScope::Kind::kScores);
    step->coefficient = static_cast<float>(json.required_number("coefficient"));
    if (!std::isfinite(step->coefficient)) json.refuse("coefficient", "a number that fits 32 bits");
  }
  if (json.has("rows")) step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  if (json.has("keep") == json.has("remove")) json.refuse("keep", "exactly one of keep and remove");
  if (json.has("keep")) {
    step->keep = parse_budget(json.required_object("keep"));
  } else {
    step->remove = json.required_int("remove");
    if (step->remove < 1) json.refuse("remove", "an integer of at least 1");
  }
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

std::unique_ptr<const Step> parse_merge_cells(const Json& json, StepScope& scope) {
  auto step = read<CellsStep>(json, scope);
  step->side = json.required_number("side");
  if (!(step->side >= 1 && step->side <= 65536)) json.refuse("side", "a number of patches from 1 to 65536");
  if (json.has("rows")) step->rows = scope.use(json, "rows", StepScope::Kind::kRows);
  step->to = scope.define(json, StepScope::Kind::kRows);
  return step;
}

}  // namespace fovea
