// The CPU kernels as one struct of function pointers, chosen once per backend. Plain types only: files that are
// compiled for an instruction set include this header, and must not bring a library template into their objects.
//
// Every entry does the same operations in the same order on every tier, so all tiers agree bit for bit (but for the
// erf of GELU, and bf16 on tiles). The rules: a matrix product of floats is one chain of fused multiply-adds over
// ascending k (of bf16: pair by pair); a sum over a row keeps 16 partial sums, element i in partial i % 16, and folds
// them in halves (see reference/sum.h); a dot product of two rows keeps 8, in f64.
#pragma once

#include <cstdint>

namespace fovea {

// A panel holds 16 outputs: [k][16]. The 16 weights of one k are adjacent.
constexpr int64_t kPanel = 16;
constexpr int64_t kPanelBytes = kPanel * 4;  // of one k of f32

// What one gemm call may cover, so that its scratch has a fixed size.
constexpr int64_t kGemmRows = 384;
constexpr int64_t kGemmColumns = 16 * kPanel;
constexpr int64_t kGemmDepth = 512;  // k of one pass: a strip of x and a few panels then stay in cache
constexpr int64_t kGemmScratch = kGemmRows * kGemmColumns;  // floats

enum class GemmMode : int32_t {
  kStore,   // out = sum + bias
  kAdd,     // out += sum + bias
  kResume,  // the chain goes on from the value in out; then + bias
};

// Four consecutive k of a row of 8-bit numbers are one 32-bit word, and a panel of them is [words][16][4].
constexpr int64_t kWordBytes = 4;
// 4-bit weights share a scale and a minimum among kGroup consecutive k of one output.
constexpr int64_t kGroup = 64;
constexpr int64_t kGroupWords = kGroup / kWordBytes;
// A group of an int4 panel: [8][16][4] bytes, each the weights of k = 8 i + j (low) and 8 i + 4 + j (high) for word
// pair i and byte j, then 16 scales and 16 minima as f16. weight = scale * nibble + minimum.
constexpr int64_t kInt4GroupBytes = kGroup * kPanel / 2 + 2 * 2 * kPanel;

// What one product is made of.
struct GemmTask {
  const void* x;     // (m, k) f32, (m, 4 k) int8, or rows that round_bf16 wrote
  int64_t x_stride;  // in floats, or words
  int64_t m;         // <= kGemmRows
  // Zero padded: [ceil(n / 16)][k][16] of f32 and f16 and of words of int8, [ceil(n / 16)][k / 2][16][2] of bf16,
  // [ceil(n / 16)][groups] of int4 groups.
  const void* panels;
  int64_t panel_stride;  // bytes from panel to panel
  int64_t k;             // numbers: of bf16 an even one; of bytes words: of int4 whole groups
  int64_t n;             // <= kGemmColumns
  const float* bias;     // (n) or null
  float* out;            // (m, n)
  int64_t out_stride;
  GemmMode mode;
  float* scratch;  // kGemmScratch floats
  // Of 8-bit rows: x = x_scales[row] * byte.
  const float* x_scales = nullptr;  // (m)
  const int32_t* x_sums = nullptr;  // (m, groups): sum of the bytes of each group of kGroup k
  int64_t x_sums_stride = 0;
  const float* w_scales = nullptr;  // (n) of int8 weights: weight = scale * byte
};

// Indices of fovea::Activation.
constexpr int kActivations = 5;

struct KernelTable {
  const char* tier;
  int64_t gemm_rows;  // of a large product that a call should take, <= kGemmRows: its sums then stay in a cache

  // f32 rows; weights of f16 are widened, which is exact.
  void (*gemm_f32)(const GemmTask& task);
  void (*gemm_f16)(const GemmTask& task);
  // bf16 rows and weights, f32 chains. The second number of a pair of k is multiplied and added before the first, and
  // floats below the least normal one, read or made, are zero: what the instruction VDPBF16PS does. On tiles, with
  // TDPBF16PS: of every 32 k, the even ones are a chain from zero, the odd ones another, and the sum of both is added.
  void (*gemm_bf16)(const GemmTask& task);
  // x (k) -> out (bf16_per_float in the place of a float, an even number of them): rounded to the nearest bf16, ties to
  // even, in the form that gemm_bf16 of the same tier reads. out may be x.
  void (*round_bf16)(const float* x, int64_t k, float* out);
  int64_t bf16_per_float;  // 1 or 2
  // A panel [k][16] of f32 -> [ceil(k / 2)][16][2] of bf16, rounded likewise, zero padded.
  void (*pair_bf16)(const float* panel, int64_t k, uint16_t* out);
  // 8-bit rows by 8-bit and 4-bit weights. Sums of products are exact integers; what follows is
  // int8: out = float(sum) * (x_scale * w_scale) + bias
  // int4: chain = fma(scale, float(sum), chain), chain = fma(minimum, float(x_sum), chain) over ascending groups;
  //       out = chain * x_scale + bias.
  // mode kStore or kAdd.
  void (*gemm_int8)(const GemmTask& task);
  void (*gemm_int4)(const GemmTask& task);
  // x (k) -> out (whole groups, zero padded), each rounded to the nearest of [-127, 127] steps of the scale that is
  // returned; sums (groups) as in GemmTask. NaN if a number is not finite.
  float (*quantise_row)(const float* x, int64_t k, int8_t* out, int32_t* sums);

  // x (rows, k) -> out [ceil(rows / 16)][k][16], zero padded: rows become lanes.
  void (*pack_rows)(const float* x, int64_t x_stride, int64_t rows, int64_t k, float* out);
  // x (rows, n) -> out [ceil(n / 16)][rows][16], zero padded: columns become lanes.
  void (*pack_columns)(const float* x, int64_t x_stride, int64_t rows, int64_t n, float* out);
  // out (m, n) = a (m, k) * b (n, k)^T in f64: products are exact, only sums round. Element i goes to partial sum i %
  // 8; they fold in halves.
  void (*dot_rows)(const float* a, int64_t a_stride, int64_t m, const float* b, int64_t b_stride, int64_t n, int64_t k,
                   double* out, int64_t out_stride);
  void (*widen_f16)(const uint16_t* x, int64_t n, float* out);
  void (*widen_bf16)(const uint16_t* x, int64_t n, float* out);

  // x[i] = exp(x[i] * scale - max over i of x[i] * scale); returns their sum. n >= 1.
  float (*softmax_numerator)(float* x, int64_t n, float scale);
  // The same to within 1e-4 of each, and rounded as round_bf16 does; returns the sum before rounding. scale > 0.
  float (*softmax_bf16)(float* x, int64_t n, float scale);
  // x[i] = cap * tanh(x[i] * scale / cap)
  void (*soft_cap)(float* x, int64_t n, float scale, float cap);

  // One row each; out may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t d, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int64_t d,
                     float* out);  // bias may be null
  void (*normalise)(const float* x, int64_t d, float* out);

  // n numbers each, in the order of fovea::Activation.
  void (*activate[kActivations])(float* x, int64_t n);
  // out (m, n) = act(gate) * up of x (m, 2 n), in which 16 gates and the 16 numbers they gate take turns; zero padded.
  void (*gated[kActivations])(const float* x, int64_t x_stride, int64_t m, int64_t n, float* out, int64_t out_stride);
  void (*add)(float* x, const float* y, int64_t n);                    // x += y
  void (*scale)(const float* x, float factor, int64_t n, float* out);  // out = x * factor
  void (*multiply)(const float* x, const float* y, int64_t n, float* out);
  // out (n) = gate * (the chain of fused multiply-adds of rows (taps, n) and weight (taps, n) over ascending taps, from
  // bias (n) or null for zeros). rows_stride: floats from row to row.
  void (*gated_conv)(const float* rows, int64_t rows_stride, const float* weight, const float* bias, const float* gate,
                     int64_t taps, int64_t n, float* out);
  // x (n_heads, d_head) of one row, rotated in place; cosine and sine (d_head / 2).
  void (*rope)(float* x, const float* cosine, const float* sine, int64_t n_heads, int64_t d_head);
  bool (*all_finite)(const float* x, int64_t n);
};

namespace reference {
void fill(KernelTable& table);  // every entry
}
#if defined(__x86_64__)
namespace avx2 {
void fill(KernelTable& table);
}
namespace avx512 {
void fill(KernelTable& table);
}
namespace avx512vnni {
void fill(KernelTable& table);  // the products of 8-bit rows alone
}
namespace avx512bf16 {
void fill(KernelTable& table);  // the products of bf16 rows and what makes such
}
namespace amx {
void fill(KernelTable& table);  // the products of bf16 rows and of 8-bit rows alone
}
#elif defined(__aarch64__)
namespace neon {
void fill(KernelTable& table);
}
namespace neondot {
void fill(KernelTable& table);  // the products of 8-bit rows alone
}
namespace neonbf16 {
void fill(KernelTable& table);  // the products of bf16 rows and what makes such
}
#endif

}  // namespace fovea
