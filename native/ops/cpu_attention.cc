// Softmax attention, a block of query rows against all their keys at a time.
//
// A row's result depends on its own query and its visible keys alone: a score is one chain over ascending d, the sum
// of a softmax runs in 16 lanes counted from the row's first visible key, and an output is one chain over ascending
// keys from that one to its last. So blocking, threads and prefill against decode cannot change a bit.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/packed_key_values.h"
#include "ops/score_block.h"
#include "ops/shapes.h"
#include "ops/workspace.h"

namespace fovea {
namespace {

bool is_heads(const Tensor& x, int64_t d_head) {
  return is_f32(x, 3) && x.shape[2] == d_head && x.shape[1] > 0 && x.shape[2] > 0;
}

// The query rows [begin, begin + count) with all heads that share one key head. Row (i, g) of the block is
// i * group + g, so rows are ordered by what they see.
struct Block {
  const Tensor& q;
  int64_t begin;
  int64_t count;
  int64_t kv_head;
  int64_t group;  // query heads per key head

  int64_t rows() const { return count * group; }
  int64_t d_head() const { return q.shape[2]; }
  const float* query(int64_t i) const {
    return q.as<float>() + (begin + i) * q.row_stride + kv_head * group * d_head();
  }
};

// One head's keys and values as panels: those of a cache, or packed once for all blocks of a long segment. Or null, and
// every block packs what it reads.
struct PackedHead {
  const float* k = nullptr;  // [ceil(n_keys / 16)][d][16]
  const float* v = nullptr;  // [ceil(d / 16)][v_rows][16]
  int64_t v_rows = 0;        // n_keys at least
};

const PackedKeyValues* packed_of(const KeyRows& keys) {
  const auto* packed = dynamic_cast<const PackedKeyValues*>(keys.cached);
  if (keys.cached != nullptr && packed == nullptr)
    throw Error(ErrorCode::kInternal, "attention: keys cached by another backend");
  return packed;
}

PackedHead head_of(const PackedKeyValues* packed, int64_t head) {
  return packed == nullptr ? PackedHead{} : PackedHead{packed->keys(head), packed->values(head), packed->capacity()};
}

// scores (block rows, keys.end) = q k^T, not yet scaled, from keys.begin on or a few before it.
void score(const KernelTable& kernels, const Block& block, const Tensor& k, const float* packed, KeyRange keys,
           float* scores, int64_t stride) {
  const int64_t d = block.d_head();
  float* queries = scratch(Scratch::kQueries, block.rows() * d);
  for (int64_t i = 0; i < block.count; ++i)
    std::memcpy(queries + i * block.group * d, block.query(i), static_cast<size_t>(block.group * d) * sizeof(float));
  float* own = packed == nullptr ? scratch(Scratch::kPanels, kKeyBlock * d) : nullptr;
  for (int64_t key = keys.begin / kPanel * kPanel; key < keys.end; key += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, keys.end - key);
    if (own != nullptr) kernels.pack_rows(head_of(k, key, block.kv_head), k.row_stride, count, d, own);
    const float* panels = own != nullptr ? own : packed + key * d;
    for (int64_t row = 0; row < block.rows(); row += kGemmRows)
      kernels.gemm_f32({queries + row * d, d, std::min(kGemmRows, block.rows() - row), panels, d * kPanelBytes, d,
                        count, nullptr, scores + row * stride + key, stride, GemmMode::kStore,
                        scratch(Scratch::kGemm, kGemmScratch)});
  }
}

// The keys that query row i of the block sees.
struct Visible {
  int64_t first;                     // end of row 0's
  int64_t growth;                    // per row: 1 if causal, else 0
  const KeyRange* ranges = nullptr;  // of the rows, or null: from the first key to what the numbers above say
  KeyRange of(int64_t i) const { return ranges == nullptr ? KeyRange{0, first + i * growth} : ranges[i]; }
};

// sums (block rows, d) = scores * v, each row over the keys it sees. d may exceed one kernel call.
void weigh(const KernelTable& kernels, const Block& block, const Tensor& v, const PackedHead& packed,
           const Visible& visible, const float* scores, int64_t stride, float* sums) {
  constexpr int64_t kTogether = 12;  // rows that go through the kernel at once, over what all of them see
  const int64_t d = block.d_head(), d_call = std::min(d, kGemmColumns), rows = block.rows();
  float* own = packed.v == nullptr ? scratch(Scratch::kPanels, kKeyBlock * round_up(d_call, kPanel)) : nullptr;
  // panels: of the columns at hand, from key `base` on, with `keys` keys each.
  const auto chain = [&](int64_t row, int64_t n_rows, const float* panels, int64_t base, int64_t begin, int64_t end,
                         int64_t column, int64_t n, int64_t keys) {
    if (begin >= end) return;
    kernels.gemm_f32({scores + row * stride + begin, stride, n_rows, panels + (begin - base) * kPanel,
                      keys * kPanelBytes, end - begin, n, nullptr, sums + row * d + column, d, GemmMode::kResume,
                      scratch(Scratch::kGemm, kGemmScratch)});
  };
  std::fill_n(sums, rows * d, 0.0f);
  const int64_t start = visible.of(0).begin, last = visible.of(block.count - 1).end;
  for (int64_t column = 0; column < d; column += d_call) {
    const int64_t n = std::min(d_call, d - column);
    for (int64_t base = start; base < last; base += kKeyBlock) {
      const int64_t count = std::min(kKeyBlock, last - base), stop = base + count;
      if (own != nullptr) kernels.pack_columns(head_of(v, base, block.kv_head) + column, v.row_stride, count, n, own);
      const float* panels = own != nullptr ? own : packed.v + column * packed.v_rows + base * kPanel;
      const int64_t keys = own != nullptr ? count : packed.v_rows;
      for (int64_t row = 0; row < rows; row += kTogether) {
        const int64_t together = std::min(kTogether, rows - row);
        // From what the last of them sees first to what the first of them sees last; each has its own before and
        // behind.
        const int64_t from = std::clamp(visible.of((row + together - 1) / block.group).begin, base, stop);
        const int64_t to = std::clamp(visible.of(row / block.group).end, from, stop);
        for (int64_t r = row; r < row + together; ++r) {
          const KeyRange own_keys = visible.of(r / block.group);
          chain(r, 1, panels, base, std::max(base, own_keys.begin), std::min(from, own_keys.end), column, n, keys);
        }
        chain(row, together, panels, base, from, to, column, n, keys);
        for (int64_t r = row; r < row + together; ++r) {
          const KeyRange own_keys = visible.of(r / block.group);
          chain(r, 1, panels, base, std::max(to, own_keys.begin), std::min(stop, own_keys.end), column, n, keys);
        }
      }
    }
  }
}

void attend(const KernelTable& kernels, const Block& block, const AttentionSegment& segment, const PackedHead& packed,
            ScoreRule rule, const Tensor& out) {
  const int64_t d = block.d_head(), n_keys = segment.k.rows();
  const int64_t i0 = block.begin - segment.q_begin;
  Visible visible = segment.causal ? Visible{n_keys - segment.n_q + i0 + 1, 1} : Visible{n_keys, 0};
  if (!segment.sees.empty()) {
    const bool is_per_head = std::ssize(segment.sees) > segment.n_q;
    visible.ranges = segment.sees.data() + (is_per_head ? block.kv_head * segment.n_q : 0) + i0;
  }
  const KeyRange all{visible.of(0).begin, visible.of(block.count - 1).end};
  const int64_t stride = score_stride(all.end);
  float* scores = scratch(Scratch::kScores, block.rows() * stride);
  score(kernels, block, segment.k.dense, packed.k, all, scores, stride);

  // The sum of a row's numerators waits behind its scores.
  for (int64_t row = 0; row < block.rows(); ++row) {
    const auto [begin, end] = visible.of(row / block.group);
    const float* bias = segment.key_bias.empty() ? nullptr : segment.key_bias.as<float>() + begin;
    float* x = scores + row * stride;
    x[stride - 1] = numerators(kernels, x + begin, end - begin, rule, bias);
  }
  float* sums = scratch(Scratch::kSums, block.rows() * d);
  weigh(kernels, block, segment.v, packed, visible, scores, stride, sums);
  for (int64_t row = 0; row < block.rows(); ++row) {
    const int64_t i = row / block.group, head = block.kv_head * block.group + row % block.group;
    float* target = out.as<float>() + (block.begin + i) * out.row_stride + head * d;
    kernels.scale(sums + row * d, 1.0f / scores[row * stride + stride - 1], d, target);
  }
}

// Ranges of at least so many keys for n rows, the same for all key heads or each its own.
void check_ranges(std::span<const KeyRange> ranges, int64_t n, const KeyRows& k, int64_t fewest) {
  if (std::ssize(ranges) != n && std::ssize(ranges) != n * k.n_heads())
    throw Error(ErrorCode::kInternal, "attention: one range of keys for each row, or for each key head and row");
  for (const KeyRange& range : ranges)
    if (range.begin < 0 || range.end - range.begin < fewest || range.end > k.rows())
      throw Error(ErrorCode::kInternal, "attention: a row sees too few keys, or some that are not there");
}

// Keys whose heads queries of q (m, n_heads, d_head) can share.
bool fits(const KeyRows& k, const Tensor& q) {
  const bool is_as_wide = k.cached != nullptr ? k.d_head() == q.shape[2] : is_heads(k.dense, q.shape[2]);
  return is_as_wide && q.shape[1] % k.n_heads() == 0;
}

void check_segment(const Tensor& q, const AttentionSegment& s) {
  const bool heads =
      fits(s.k, q) && (s.k.cached != nullptr ? s.v.empty() : is_f32(s.v, 3) && same_shape(s.k.dense, s.v));
  require_shapes(
      heads && s.q_begin >= 0 && s.n_q >= 0 && s.n_q <= q.rows() - s.q_begin &&
          s.k.rows() >= (s.causal ? std::max<int64_t>(s.n_q, 1) : 1) &&
          (s.key_bias.empty() || (is_f32(s.key_bias, 1) && s.key_bias.rows() == s.k.rows())),
      "attention",
      "expected k and v (n_keys, n_kv_heads, d_head) or a cache, n_heads a multiple of n_kv_heads, rows inside q, a "
      "key for every row",
      {{"q", q}, {"k", s.k.dense}, {"v", s.v}});
  if (!s.sees.empty()) check_ranges(s.sees, s.n_q, s.k, 1);
}

}  // namespace

void CpuOps::attention(const Tensor& q, std::span<const AttentionSegment> segments, ScoreRule rule, const Tensor& out,
                       bool in_bf16) {
  require_shapes(q.rank == 3 && is_heads(q, q.shape[2]) && is_f32(out, 3) && same_shape(q, out), "attention",
                 "expected q and out (m, n_heads, d_head)", {{"q", q}, {"out", out}});
  for (const AttentionSegment& s : segments) check_segment(q, s);
  if (in_bf16) {
    if (rule.cap != 0) throw Error(ErrorCode::kInternal, "attention: no cap in bf16");
    attend_in_bf16(q, segments, rule.scale, out);
    return;
  }
  struct Piece {
    size_t segment;
    int64_t begin, count, kv_head;
  };
  // Blocks of cached keys, and segments of one block, which pack for themselves, all at once; longer ones follow, one
  // after the other.
  std::vector<Piece> pieces;
  std::vector<size_t> longer;
  for (size_t index = 0; index < segments.size(); ++index) {
    const AttentionSegment& s = segments[index];
    const int64_t n_kv_heads = s.k.n_heads(), rows = rows_per_block(s.k.rows(), q.shape[1] / n_kv_heads);
    if (s.k.cached == nullptr && s.n_q > rows) {
      longer.push_back(index);
      continue;
    }
    for (int64_t head = 0; head < n_kv_heads; ++head)
      for (int64_t begin = 0; begin < s.n_q; begin += rows)
        pieces.push_back({index, s.q_begin + begin, std::min(rows, s.n_q - begin), head});
  }
  pool_.parallel_for(std::ssize(pieces), [&](int64_t index) {
    const Piece& piece = pieces[static_cast<size_t>(index)];
    const AttentionSegment& segment = segments[piece.segment];
    attend(kernels_, {q, piece.begin, piece.count, piece.kv_head, q.shape[1] / segment.k.n_heads()}, segment,
           head_of(packed_of(segment.k), piece.kv_head), rule, out);
  });
  for (const size_t index : longer) attend_long(q, segments[index], rule, out);
}

// A segment of several blocks, some heads at a time, whose keys and values are packed first.
void CpuOps::attend_long(const Tensor& q, const AttentionSegment& segment, ScoreRule rule, const Tensor& out) {
  const Tensor& k = segment.k.dense;
  const int64_t n_kv_heads = k.shape[1], group = q.shape[1] / n_kv_heads, d = q.shape[2];
  const int64_t n_keys = k.rows(), rows = rows_per_block(n_keys, group);
  const int64_t k_floats = round_up(n_keys, kPanel) * d, v_floats = round_up(d, kPanel) * n_keys;
  const int64_t together = std::clamp(kPackedFloats / (k_floats + v_floats), int64_t{1}, n_kv_heads);
  float* packed = scratch(Scratch::kKeys, together * (k_floats + v_floats));
  const int64_t blocks = (segment.n_q + rows - 1) / rows;
  for (int64_t first = 0; first < n_kv_heads; first += together) {
    const int64_t heads = std::min(together, n_kv_heads - first);
    const auto keys_of = [&](int64_t i) { return packed + i * (k_floats + v_floats); };
    pool_.parallel_for(2 * heads, [&](int64_t i) {
      const int64_t head = first + i / 2;
      if (i % 2 == 0) {
        kernels_.pack_rows(head_of(k, 0, head), k.row_stride, n_keys, d, keys_of(i / 2));
      } else {
        kernels_.pack_columns(head_of(segment.v, 0, head), segment.v.row_stride, n_keys, d, keys_of(i / 2) + k_floats);
      }
    });
    pool_.parallel_for(heads * blocks, [&](int64_t i) {
      const int64_t head = i / blocks, begin = i % blocks * rows;
      attend(kernels_, {q, segment.q_begin + begin, std::min(rows, segment.n_q - begin), first + head, group}, segment,
             {keys_of(head), keys_of(head) + k_floats, n_keys}, rule, out);
    });
  }
}

void CpuOps::attention_mass(const Tensor& q, const KeyRows& k, ScoreRule rule, std::span<const KeyRange> sees,
                            const Tensor& out) {
  require_shapes(
      q.rank == 3 && is_heads(q, q.shape[2]) && fits(k, q) && is_f32(out, 2) && out.rows() == q.shape[1] &&
          out.shape[1] == k.rows(),
      "attention_mass",
      "expected q (n_probe, n_heads, d_head), k (n_keys, n_kv_heads, d_head) or a cache, out (n_heads, n_keys)",
      {{"q", q}, {"k", k.dense}, {"out", out}});
  check_ranges(sees, q.rows(), k, 0);
  const int64_t n_keys = k.rows(), n_kv_heads = k.n_heads(), group = q.shape[1] / n_kv_heads;
  const PackedKeyValues* packed = packed_of(k);
  const bool is_per_head = std::ssize(sees) > q.rows();
  const int64_t stride = score_stride(n_keys), rows = rows_per_block(n_keys, group);
  // One piece per key head, so that a head adds up its rows in their order.
  pool_.parallel_for(n_kv_heads, [&](int64_t kv_head) {
    for (int64_t g = 0; g < group; ++g)
      std::fill_n(out.as<float>() + (kv_head * group + g) * out.row_stride, n_keys, 0.0f);
    for (int64_t begin = 0; begin < q.rows(); begin += rows) {
      const Block block{q, begin, std::min(rows, q.rows() - begin), kv_head, group};
      const auto ranges = sees.subspan(static_cast<size_t>((is_per_head ? kv_head * q.rows() : 0) + begin),
                                       static_cast<size_t>(block.count));
      KeyRange all = ranges.front();
      for (const KeyRange& range : ranges) all = {std::min(all.begin, range.begin), std::max(all.end, range.end)};
      float* scores = scratch(Scratch::kScores, block.rows() * stride);
      score(kernels_, block, k.dense, head_of(packed, kv_head).k, all, scores, stride);
      for (int64_t row = 0; row < block.rows(); ++row) {
        const auto [first, end] = ranges[static_cast<size_t>(row / group)];
        if (first == end) continue;
        float* x = scores + row * stride + first;
        kernels_.scale(x, 1.0f / numerators(kernels_, x, end - first, rule, nullptr), end - first, x);
        kernels_.add(out.as<float>() + (kv_head * group + row % group) * out.row_stride + first, x, end - first);
      }
    }
  });
}

}  // namespace fovea
