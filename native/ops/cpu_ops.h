// The CPU backend: checks shapes, cuts an op into pieces for the pool, and calls the kernels of one tier.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/thread_pool.h"
#include "kernels/kernel_table.h"
#include "ops/ops.h"
#include "ops/packed_panels.h"

namespace fovea {

class CpuOps final : public Ops {
 public:
  CpuOps(int threads, const std::string& isa);

  Device device() const override { return Device::kCpu; }
  std::string tier() const override { return kernels_.tier; }
  int threads() const override { return pool_.threads(); }

  Buffer allocate(size_t bytes) override;
  void copy_from_host(const void* source, const Tensor& out) override;
  void copy_to_host(const Tensor& x, void* out) override;

  std::unique_ptr<KeyValues> key_values(int64_t n_heads, int64_t d_head) override;

  std::unique_ptr<PackedMatrix> pack(std::span<const Tensor> parts, DType as, Outputs outputs,
                                     const std::function<void()>& after_some) override;
  std::unique_ptr<PackedMatrix> packed_in(std::span<const std::byte> storage, int64_t n, int64_t k, DType dtype,
                                          Outputs outputs) override;
  void linear(const Tensor& x, const PackedMatrix& w, const Tensor& bias, const Tensor& out, bool accumulate) override;
  void linear_activated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                        const Tensor& out) override;
  void linear_gated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                    const Tensor& out) override;
  void dot_rows(const Tensor& a, const Tensor& b, std::span<double> out) override;

  void rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& out) override;
  void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& out) override;
  void add(const Tensor& x, const Tensor& y) override;
  void scale_rows(const Tensor& x, std::span<const float> factors) override;
  void scale_columns(const Tensor& x, const Tensor& factors) override;
  void gated_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& window,
                  const Tensor& out) override;
  void rope_table(std::span<const Position> positions, std::span<const float> inv_freq, std::span<const Axis> axes,
                  const Tensor& table) override;
  void rope(const Tensor& x, const Tensor& table) override;

  void attention(const Tensor& q, std::span<const AttentionSegment> segments, ScoreRule rule, const Tensor& out,
                 bool in_bf16) override;
  void attention_mass(const Tensor& q, const KeyRows& k, ScoreRule rule, std::span<const KeyRange> sees,
                      const Tensor& out) override;

  void embed(const Tensor& table, std::span<const int32_t> ids, const Tensor& out) override;
  void gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) override;
  void copy(const Tensor& x, const Tensor& out) override;
  void normalise_rows(const Tensor& x, const Tensor& out) override;
  void patches(const Tensor& pixels, int64_t patch_size, const Tensor& out) override;
  bool all_finite(const Tensor& x) override;

 private:
  using Then = std::optional<Activation>;  // what is done with products
  void product(const char* op, const Tensor& x, const PackedMatrix& packed, const Tensor& bias, const Tensor& out,
               Outputs outputs, GemmMode mode, Then then);
  void multiply(const GemmTask& whole, const PackedPanels& w, Then then, int most_threads);
  void to_bytes(const Tensor& x, const PackedPanels& w, GemmTask& task, int threads);
  void to_bf16(const Tensor& x, const PackedPanels& w, GemmTask& task, int threads);
  void attend_long(const Tensor& q, const AttentionSegment& segment, ScoreRule rule, const Tensor& out);
  void attend_in_bf16(const Tensor& q, std::span<const AttentionSegment> segments, float scale, const Tensor& out);

  // Calls fn(begin, end) for pieces of [0, rows); cost is that of one row, in elements read or written.
  template <typename F>
  void for_rows(int64_t rows, int64_t cost, F&& fn) {
    for_rows(rows, cost, pool_.threads(), fn);
  }
  // The same with so many threads.
  template <typename F>
  void for_rows(int64_t rows, int64_t cost, int threads, F&& fn) {
    if (threads == 1) return fn(0, rows);
    constexpr int64_t kPiece = 16384;  // elements: some microseconds, well above the cost of handing it over
    const int64_t most = rows / (cost > 0 ? (kPiece + cost - 1) / cost : rows + 1);
    const int64_t pieces = most < 1 ? 1 : most < 4 * pool_.threads() ? most : 4 * pool_.threads();
    pool_.parallel_for(pieces, [&](int64_t i) { fn(rows * i / pieces, rows * (i + 1) / pieces); });
  }

  KernelTable kernels_;
  ThreadPool pool_;
};

}  // namespace fovea
