// Primitive `merge`: folds rows into others before they are dropped. Rows are counted from their span's first row;
// features (n, d) hold a vector for each; ties go to the lower row. Features that are NaN or infinite throw kNumeric.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace fovea {

// One row gives itself up to another.
struct Fold {
  int32_t from, into;
  bool operator==(const Fold&) const = default;
};

// Each row of `from` goes into the row of `into` that its features are most like (cosine); none if `into` is empty.
std::vector<Fold> fold_nearest(Ops& ops, const Tensor& features, std::span<const int32_t> from,
                               std::span<const int32_t> into);

// Each row of `into` takes in the `count` rows of `from` that its features are most like (cosine), or all if there are
// fewer; a row may go to several.
std::vector<Fold> fold_neighbours(Ops& ops, const Tensor& features, std::span<const int32_t> from,
                                  std::span<const int32_t> into, int64_t count);

// Rows that others gather round.
struct Clusters {
  std::vector<int32_t> centres;  // ascending
  std::vector<Fold> folds;       // of the other rows, each into the nearest centre
};

// Clustering by density peaks with nearest neighbours (SparseVLM's recycling, methods-reduction 2D.3): distances are
// Euclidean by the square root of d; a row's density is exp(-mean square distance to its `count` nearest rows, itself
// among them); the `count` rows of the largest density times distance to the nearest denser row are centres. Of equally
// dense rows the lower one counts as denser.
Clusters cluster_by_density(Ops& ops, const Tensor& features, std::span<const int32_t> rows, int64_t count);

// Bipartite soft matching (ToMe, arXiv 2210.09461; Turbo, methods-core 3): every second of these rows (ascending) is a
// source, the others are destinations; the first is a source if sources_first. A source's score is its largest cosine
// to a destination, less penalty[source] (empty: none). The `count` sources of the largest scores fold, or all if there
// are fewer.
std::vector<Fold> fold_bipartite(Ops& ops, const Tensor& features, std::span<const int32_t> rows, bool sources_first,
                                 std::span<const float> penalty, int64_t count);

// Rows of one cell of the picture go into its row of the largest weight (empty: its first). places (m): where each of
// rows (m, ascending) stands in a raster of so many columns; a cell is floor(place / side) in both directions.
std::vector<Fold> fold_cells(std::span<const int32_t> rows, std::span<const int32_t> places, int64_t columns,
                             double side, std::span<const float> weight);

enum class Reduce {
  kMean,          // of the row and all that fold into it
  kSizeMean,      // the same, each counted as often as the rows it stands for
  kAddMean,       // the row plus the mean of what folds into it
  kWeightedMean,  // of all by weight; the plain mean if the weights sum to 0
  kAddWeighted,   // the row plus what folds into it, each times its weight
  kWeightedSum,   // of all, each times its weight
};

// Replaces each row that others fold into (n, d). sizes (n): the rows that each stands for; they grow.
// weight (n): of those that weigh, not negative.
void merge_rows(Ops& ops, const Tensor& rows, std::span<float> sizes, std::span<const Fold> folds, Reduce reduce,
                std::span<const float> weight);

}  // namespace fovea
