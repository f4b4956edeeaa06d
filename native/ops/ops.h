// The op table: everything a model or a pruning primitive may ask of a device. A backend (CPU today, CUDA or WebGPU
// later) is one subclass. Activations are f32. Dimensions: m rows, k inputs, n outputs; the others as in HACKING.md.
//
// Two promises that every backend keeps, because "keep every row" must reproduce the unpruned logits bit for bit:
//  - a row of an output depends only on that row's inputs, never on m, on other rows or on the number of threads;
//  - every call is deterministic.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/position.h"
#include "tensor/tensor.h"

namespace fovea {

enum class Activation { kGelu, kGeluTanh, kQuickGelu, kSilu, kRelu };

// What the outputs of a matrix are: numbers on their own, or in one half the gates of those in the other.
enum class Outputs { kPlain, kGated };

// A weight matrix in the layout that the backend multiplies with. Made by Ops::pack.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  virtual int64_t outputs() const = 0;  // n
  virtual int64_t inputs() const = 0;   // k
  virtual size_t bytes() const = 0;
  virtual bool rounds_rows() const = 0;  // linear multiplies rows rounded to 16 or 8 bits with it
  // All of it, as Ops::packed_in takes it; in the host's memory.
  virtual std::span<const std::byte> storage() const = 0;
};

// Device memory with one owner.
class Buffer {
 public:
  using Release = std::function<void(void*)>;

  Buffer() = default;
  Buffer(void* data, size_t bytes, Release release) : data_(data, std::move(release)), bytes_(bytes) {}
  void* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<void, Release> data_;
  size_t bytes_ = 0;
};

// The keys and values of one layer of a sequence, in the layout that the backend attends with. Made by Ops::key_values.
// Calls throw kInternal if rows are not as wide as it, or are not there.
class KeyValues {
 public:
  virtual ~KeyValues() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t n_heads() const = 0;
  virtual int64_t d_head() const = 0;
  virtual size_t bytes() const = 0;

  virtual void append(const Tensor& k, const Tensor& v) = 0;  // (n, n_heads, d_head)
  // Rows [begin, begin + n) of another, which the same backend made and which is as wide.
  virtual void append(const KeyValues& other, int64_t begin, int64_t n) = 0;
  // Keeps these rows in place: ascending lists of one size, one for all heads or one for each.
  virtual void keep(std::span<const std::vector<int32_t>> lists) = 0;
  virtual void drop_last(int64_t n) = 0;
  // Gives back memory that rows left, but for some room to grow.
  virtual void shrink() = 0;
};

// What queries are compared with: rows of keys, or those of a cache.
struct KeyRows {
  KeyRows(const Tensor& k) : dense(k) {}         // NOLINT(google-explicit-constructor): (n_keys, n_kv_heads, d_head)
  KeyRows(const KeyValues& kv) : cached(&kv) {}  // NOLINT(google-explicit-constructor)

  int64_t rows() const { return cached != nullptr ? cached->rows() : dense.rows(); }
  int64_t n_heads() const { return cached != nullptr ? cached->n_heads() : dense.shape[1]; }
  int64_t d_head() const { return cached != nullptr ? cached->d_head() : dense.shape[2]; }

  Tensor dense;
  const KeyValues* cached = nullptr;
};

// Keys that a row sees, [begin, end).
struct KeyRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const KeyRange&) const = default;
};

// What becomes of a product of a query and a key before the softmax: it is scaled, and where cap is above 0, it never
// gets beyond that: cap * tanh(scaled / cap).
struct ScoreRule {
  ScoreRule(float factor, float limit = 0) : scale(factor), cap(limit) {}  // NOLINT(google-explicit-constructor)
  float scale;
  float cap;
};

// One sequence's share of a packed attention call: its rows of q and out, and the keys they see.
struct AttentionSegment {
  int64_t q_begin;  // first row of this segment in q and out
  int64_t n_q;      // rows
  KeyRows k;        // (n_keys, n_kv_heads, d_head)
  Tensor v;         // the same; empty if k is a cache, which has both
  // Causal: row i of the segment sees keys [0, n_keys - n_q + i]. Otherwise every key.
  bool causal;
  // (n_keys) added to the scores of each key, as log(size) of a merged row; or empty.
  Tensor key_bias = {};
  // (n_q), or (n_kv_heads, n_q) where key heads differ: what each row sees, whatever `causal` says; or empty. Neither
  // end is before that of the row before.
  std::vector<KeyRange> sees = {};
};

class Ops {
 public:
  virtual ~Ops() = default;
  virtual Device device() const = 0;
  virtual std::string tier() const = 0;  // "scalar", "avx2", "avx512", …
  virtual int threads() const = 0;

  // Memory. Contents start undefined. Throws kOutOfMemory.
  virtual Buffer allocate(size_t bytes) = 0;
  virtual void copy_from_host(const void* source, const Tensor& out) = 0;  // out dense
  virtual void copy_to_host(const Tensor& x, void* out) = 0;               // x may have a row stride; out is dense

  // Without rows.
  virtual std::unique_ptr<KeyValues> key_values(int64_t n_heads, int64_t d_head) = 0;

  // Weights. Stacks parts (n_i, k) of host memory into one (n = sum n_i, k) matrix held as f32, f16 or bf16, or as
  //  int8: a scale per output; rows of x are rounded to 8 bits with a scale each, sums are exact integers
  //  int4: a scale and a minimum for each 64 k of an output; x as with int8.
  // after_some is called whenever up to 32 MB of parts were read, also the last; what it throws ends the packing.
  // Throws kNumeric, naming no tensor, if a value is NaN or infinite in the file or after conversion.
  virtual std::unique_ptr<PackedMatrix> pack(std::span<const Tensor> parts, DType as, Outputs outputs = Outputs::kPlain,
                                             const std::function<void()>& after_some = {}) = 0;

  // A matrix whose storage() is kept elsewhere, for as long as it lives; or null if that is not of an (n, k) matrix
  // held as dtype.
  virtual std::unique_ptr<PackedMatrix> packed_in(std::span<const std::byte> storage, int64_t n, int64_t k, DType dtype,
                                                  Outputs outputs = Outputs::kPlain) = 0;

  // Products x (m, k) * w^T + bias, (m, n); bias (n) or empty. What is done with them is done while they are in a
  // cache.
  // out (m, n) = the product; with accumulate, out += that.
  virtual void linear(const Tensor& x, const PackedMatrix& w, const Tensor& bias, const Tensor& out,
                      bool accumulate = false) = 0;
  // out (m, n) = act(product).
  virtual void linear_activated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                                const Tensor& out) = 0;
  // out (m, n / 2) = act(gate) * up, with the product [gate | up]; w packed as Outputs::kGated.
  virtual void linear_gated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                            const Tensor& out) = 0;
  // out (m, n), on the host, = a (m, k) * b^T with b (n, k), both activations, in f64: choices of rows hang on digits
  // that an f32 does not have.
  virtual void dot_rows(const Tensor& a, const Tensor& b, std::span<double> out) = 0;

  // Norms: x, out (m, d), weight and bias (d); out may be x.
  virtual void rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& out) = 0;
  virtual void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& out) = 0;
  virtual void add(const Tensor& x, const Tensor& y) = 0;  // x (m, d) += y (m, d), or y (d) for every row

  virtual void scale_rows(const Tensor& x, std::span<const float> factors) = 0;  // x (m, d): row i times factors[i]
  virtual void scale_columns(const Tensor& x, const Tensor& factors) = 0;  // x (m, d): column c times factors (d) at c

  // A causal convolution of each column on its own, between two gates. x (m, 3 d) = [B | C | rows]; weight (taps, d),
  // the last of a row itself; bias (d) or empty. window (taps - 1 + m, d) holds B * rows of the taps - 1 rows before;
  // those of x are written behind them. out (m, d) = C * (bias + the sum over taps of weight * window).
  virtual void gated_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& window,
                          const Tensor& out) = 0;

  // table (m, d_head): cos of position * inv_freq (d_head / 2) in the first half of a row, sin in the second. axes
  // (d_head / 2) say which number of a position each frequency turns with; empty: all with its time.
  virtual void rope_table(std::span<const Position> positions, std::span<const float> inv_freq,
                          std::span<const Axis> axes, const Tensor& table) = 0;
  // In place; x (m, n_heads, d_head), rotating the pairs (i, i + d_head / 2) as Llama does.
  virtual void rope(const Tensor& x, const Tensor& table) = 0;

  // out (m, n_heads, d_head) = softmax(rule(q k^T)) v per segment; n_heads is a multiple of n_kv_heads and query
  // head h reads key head h * n_kv_heads / n_heads. Never holds more than a block of rows x keys.
  // in_bf16: q, k, v and the numerators of the softmax are rounded to bf16, sums are f32; only for segments of dense
  // keys that every row sees all of, without a cap.
  virtual void attention(const Tensor& q, std::span<const AttentionSegment> segments, ScoreRule rule, const Tensor& out,
                         bool in_bf16 = false) = 0;
  // out (n_heads, n_keys): softmax(rule(q k^T)) of each row of q (n_probe, n_heads, d_head) over the keys of k (n_keys,
  // n_kv_heads, d_head) that it sees, summed over rows in ascending order. sees (n_probe), or (n_kv_heads, n_probe)
  // where key heads differ; a row that sees none adds nothing.
  virtual void attention_mass(const Tensor& q, const KeyRows& k, ScoreRule rule, std::span<const KeyRange> sees,
                              const Tensor& out) = 0;

  // Rows.
  virtual void embed(const Tensor& table, std::span<const int32_t> ids,
                     const Tensor& out) = 0;  // table (vocab, d) any dtype
  virtual void gather_rows(const Tensor& x, std::span<const int32_t> rows,
                           const Tensor& out) = 0;  // out may be x if rows ascend
  virtual void copy(const Tensor& x, const Tensor& out) = 0;
  virtual void normalise_rows(const Tensor& x, const Tensor& out) = 0;  // x / |x|_2; a zero row stays zero
  // (n_images, c, h, w) -> (n_images * (h / p) * (w / p), c * p * p), patches in raster order. Rest rows/columns are
  // cut.
  virtual void patches(const Tensor& pixels, int64_t patch_size, const Tensor& out) = 0;
  virtual bool all_finite(const Tensor& x) = 0;
};

// A CPU backend with its own pool. threads 0: one per available core. isa: "auto" or a tier name; an unavailable
// tier throws kIsa. The environment variable FOVEA_ISA caps "auto".
std::unique_ptr<Ops> make_cpu_ops(int threads, const std::string& isa);

}  // namespace fovea
