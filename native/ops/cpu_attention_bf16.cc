// Softmax attention of whole segments in bf16, as towers attend: a block of query rows of one head against all its
// keys at a time.
//
// A row's result depends on its own query and the keys of its segment alone: a score is one chain over ascending pairs
// of d, the sum of a softmax is that of its numerators before they are rounded, and an output is one chain over
// ascending pairs of keys. So blocking and threads cannot change a bit.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/score_block.h"
#include "ops/workspace.h"

namespace fovea {
namespace {

int64_t pairs_of(int64_t n) { return (n + 1) / 2; }

// One key head of a segment, packed. A word is a pair of bf16.
struct PackedHead {
  const AttentionSegment* segment;
  int64_t index;  // of the head
  float* k;       // words [panels of keys][pairs of d][16]
  float* v;       // words [panels of d][pairs of keys][16]
};

int64_t k_words(int64_t n_keys, int64_t d) { return round_up(n_keys, kPanel) * pairs_of(d); }
int64_t v_words(int64_t n_keys, int64_t d) { return round_up(d, kPanel) * pairs_of(n_keys); }

void pack_keys(const KernelTable& kernels, const PackedHead& head) {
  const Tensor& k = head.segment->k.dense;
  const int64_t d = k.shape[2];
  float* panel = scratch(Scratch::kPanels, d * kPanel);
  for (int64_t key = 0; key < k.rows(); key += kPanel) {
    kernels.pack_rows(head_of(k, key, head.index), k.row_stride, std::min(kPanel, k.rows() - key), d, panel);
    kernels.pair_bf16(panel, d, reinterpret_cast<uint16_t*>(head.k + key * pairs_of(d)));
  }
}

void pack_values(const KernelTable& kernels, const PackedHead& head) {
  const Tensor& v = head.segment->v;
  const int64_t n_keys = v.rows(), d = v.shape[2];
  float* panel = scratch(Scratch::kPanels, n_keys * kPanel);
  for (int64_t column = 0; column < d; column += kPanel) {
    kernels.pack_columns(head_of(v, 0, head.index) + column, v.row_stride, n_keys, std::min(kPanel, d - column), panel);
    kernels.pair_bf16(panel, n_keys, reinterpret_cast<uint16_t*>(head.v + column * pairs_of(n_keys)));
  }
}

// Rows [begin, begin + rows) of one query head.
void attend(const KernelTable& kernels, const Tensor& q, int64_t begin, int64_t rows, int64_t query_head,
            const PackedHead& head, float scale, const Tensor& out) {
  const int64_t d = q.shape[2], n_keys = head.segment->k.rows();
  const int64_t d_even = 2 * pairs_of(d), keys_even = 2 * pairs_of(n_keys);
  float* queries = scratch(Scratch::kQueries, rows * d_even);
  for (int64_t row = 0; row < rows; ++row)
    kernels.round_bf16(head_of(q, begin + row, query_head), d, queries + row * d_even);

  const int64_t stride = score_stride(n_keys);
  float* scores = scratch(Scratch::kScores, rows * stride);
  float* gemm_scratch = scratch(Scratch::kGemm, kGemmScratch);
  for (int64_t key = 0; key < n_keys; key += kKeyBlock)
    kernels.gemm_bf16({queries, d_even, rows, head.k + key * pairs_of(d), pairs_of(d) * kPanelBytes, d_even,
                       std::min(kKeyBlock, n_keys - key), nullptr, scores + key, stride, GemmMode::kStore,
                       gemm_scratch});
  // The sum of a row's numerators waits behind its scores.
  const float* bias = head.segment->key_bias.empty() ? nullptr : head.segment->key_bias.as<float>();
  for (int64_t row = 0; row < rows; ++row) {
    float* x = scores + row * stride;
    if (bias != nullptr) {
      kernels.scale(x, scale, n_keys, x);
      kernels.add(x, bias, n_keys);
    }
    x[stride - 1] = kernels.softmax_bf16(x, n_keys, bias == nullptr ? scale : 1.0f);
  }

  float* sums = head_of(out, begin, query_head);
  for (int64_t column = 0; column < d; column += kGemmColumns)
    kernels.gemm_bf16({scores, stride, rows, head.v + column * pairs_of(n_keys), pairs_of(n_keys) * kPanelBytes,
                       keys_even, std::min(kGemmColumns, d - column), nullptr, sums + column, out.row_stride,
                       GemmMode::kStore, gemm_scratch});
  for (int64_t row = 0; row < rows; ++row) {
    float* x = sums + row * out.row_stride;
    kernels.scale(x, 1.0f / scores[row * stride + stride - 1], d, x);
  }
}

}  // namespace

void CpuOps::attend_in_bf16(const Tensor& q, std::span<const AttentionSegment> segments, float scale,
                            const Tensor& out) {
  const int64_t d = q.shape[2];
  const auto words_of = [d](const PackedHead& head) {
    const int64_t n_keys = head.segment->k.rows();
    return k_words(n_keys, d) + v_words(n_keys, d);
  };
  std::vector<PackedHead> heads;
  for (const AttentionSegment& segment : segments) {
    if (segment.k.cached != nullptr || segment.causal || !segment.sees.empty())
      throw Error(ErrorCode::kInternal, "attention: in bf16 every row sees all keys of its segment, which are dense");
    for (int64_t head = 0; head < segment.k.n_heads(); ++head) heads.push_back({&segment, head, nullptr, nullptr});
  }
  struct Piece {
    int64_t begin, rows, query_head;
    const PackedHead* head;
  };
  // As many heads at a time as fit the memory for packed ones.
  for (size_t first = 0, end = 0; first < heads.size(); first = end) {
    int64_t words = 0;
    for (; end < heads.size() && (end == first || words + words_of(heads[end]) <= kPackedFloats); ++end)
      words += words_of(heads[end]);
    float* memory = scratch(Scratch::kKeys, words);
    std::vector<Piece> pieces;
    for (size_t i = first; i < end; ++i) {
      PackedHead& head = heads[i];
      const AttentionSegment& s = *head.segment;
      const int64_t n_keys = s.k.rows(), group = q.shape[1] / s.k.n_heads(), rows = rows_per_block(n_keys, 1);
      head.k = memory;
      head.v = memory + k_words(n_keys, d);
      memory += words_of(head);
      for (int64_t query_head = head.index * group; query_head < (head.index + 1) * group; ++query_head)
        for (int64_t begin = 0; begin < s.n_q; begin += rows)
          pieces.push_back({s.q_begin + begin, std::min(rows, s.n_q - begin), query_head, &head});
    }
    pool_.parallel_for(2 * static_cast<int64_t>(end - first), [&](int64_t i) {
      const PackedHead& head = heads[first + static_cast<size_t>(i / 2)];
      if (i % 2 == 0) {
        pack_keys(kernels_, head);
      } else {
        pack_values(kernels_, head);
      }
    });
    pool_.parallel_for(std::ssize(pieces), [&](int64_t i) {
      const Piece& piece = pieces[static_cast<size_t>(i)];
      attend(kernels_, q, piece.begin, piece.rows, piece.query_head, *piece.head, scale, out);
    });
  }
}

}  // namespace fovea
