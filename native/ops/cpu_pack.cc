// Weights from a file to panels: stacked, converted, checked for NaN and infinity.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/half.h"
#include "ops/cpu_ops.h"
#include "ops/packed_panels.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

struct F32 {
  using Element = float;
  static float widen(float x) { return x; }
  static float narrow(float x) { return x; }
};
struct F16 {
  using Element = uint16_t;
  static float widen(uint16_t x) { return f16_to_f32(x); }
  static uint16_t narrow(float x) { return f32_to_f16(x); }
};
struct BF16 {
  using Element = uint16_t;
  static float widen(uint16_t x) { return bf16_to_f32(x); }
  static uint16_t narrow(float x) { return f32_to_bf16(x); }
};

enum Fault : uint32_t { kSound = 0, kNotFinite = 1, kOverflow = 2 };

// k numbers of one row, or null beyond the last row.
struct SourceRow {
  const void* data = nullptr;
  DType dtype = DType::kF32;
};

bool is_finite(float x) { return (bits_of_float(x) & 0x7f800000u) != 0x7f800000u; }

// One row into lane `lane` of a panel [k][16].
template <typename Source, typename Target>
uint32_t pack_lane(const void* row, int64_t k_begin, int64_t k_end, int64_t lane, void* panel) {
  const auto* source = static_cast<const typename Source::Element*>(row);
  auto* target = static_cast<typename Target::Element*>(panel) + lane;
  uint32_t fault = kSound;
  for (int64_t i = k_begin; i < k_end; ++i) {
    const float value = Source::widen(source[i]);
    const auto stored = Target::narrow(value);
    if (!is_finite(Target::widen(stored))) fault |= is_finite(value) ? kOverflow : kNotFinite;
    target[i * kPanel] = stored;
  }
  return fault;
}

template <typename Target>
void clear_lane(int64_t k_begin, int64_t k_end, int64_t lane, void* panel) {
  auto* target = static_cast<typename Target::Element*>(panel) + lane;
  for (int64_t i = k_begin; i < k_end; ++i) target[i * kPanel] = 0;
}

template <typename Target>
uint32_t pack_panel(const std::array<SourceRow, kPanel>& rows, int64_t k, void* panel) {
  constexpr int64_t kBlock = 128;  // of k: the part of a panel being written stays in L1
  uint32_t fault = kSound;
  for (int64_t begin = 0; begin < k; begin += kBlock) {
    const int64_t end = std::min(k, begin + kBlock);
    for (int64_t lane = 0; lane < kPanel; ++lane) {
      const SourceRow& row = rows[static_cast<size_t>(lane)];
      if (row.data == nullptr) {
        clear_lane<Target>(begin, end, lane, panel);
      } else if (row.dtype == DType::kF32) {
        fault |= pack_lane<F32, Target>(row.data, begin, end, lane, panel);
      } else if (row.dtype == DType::kF16) {
        fault |= pack_lane<F16, Target>(row.data, begin, end, lane, panel);
      } else {
        fault |= pack_lane<BF16, Target>(row.data, begin, end, lane, panel);
      }
    }
  }
  return fault;
}

// Row `index` of the stacked parts.
SourceRow source_row(std::span<const Tensor> parts, int64_t index) {
  for (const Tensor& part : parts) {
    if (index < part.rows())
      return {part.as<const std::byte>() + static_cast<size_t>(index * part.row_stride) * element_size(part.dtype),
              part.dtype};
    index -= part.rows();
  }
  return {};
}

bool is_float(DType dtype) { return dtype != DType::kI32; }

// Sizes come from a file: bounded, so that no product below overflows.
int64_t checked_outputs(std::span<const Tensor> parts) {
  constexpr int64_t kLargest = int64_t{1} << 31;
  int64_t n = 0;
  for (const Tensor& part : parts) {
    require_shapes(part.rank == 2 && is_float(part.dtype) && part.shape[1] == parts[0].shape[1] && part.rows() > 0 &&
                       part.shape[1] > 0 && part.rows() <= kLargest && part.shape[1] <= kLargest,
                   "pack", "expected parts (n, k) of floats with one k", {{"first", parts[0]}, {"part", part}});
    n += part.rows();
  }
  if (n == 0 || n > kLargest) throw Error(ErrorCode::kInternal, "pack: " + std::to_string(n) + " outputs");
  return n;
}

}  // namespace

std::unique_ptr<PackedMatrix> CpuOps::pack(std::span<const Tensor> parts, DType as) {
  const int64_t n = checked_outputs(parts);
  if (!is_float(as)) throw Error(ErrorCode::kInternal, std::string("pack: weights as ") + dtype_name(as));
  auto packed = std::make_unique<PackedPanels>(n, parts[0].shape[1], as);
  std::atomic<uint32_t> faults{kSound};
  pool_.parallel_for(packed->n_panels(), [&](int64_t index) {
    std::array<SourceRow, kPanel> rows;
    for (int64_t lane = 0; lane < kPanel; ++lane)
      rows[static_cast<size_t>(lane)] = source_row(parts, index * kPanel + lane);
    void* panel = packed->panel(index);
    const uint32_t fault = as == DType::kF32   ? pack_panel<F32>(rows, packed->inputs(), panel)
                           : as == DType::kF16 ? pack_panel<F16>(rows, packed->inputs(), panel)
                                               : pack_panel<BF16>(rows, packed->inputs(), panel);
    faults.fetch_or(fault, std::memory_order_relaxed);
  });
  if ((faults & kNotFinite) != 0)
    throw Error(ErrorCode::kNumeric, "a weight is NaN or infinite; the file is damaged, download it again");
  if ((faults & kOverflow) != 0)
    throw Error(ErrorCode::kNumeric,
                std::string("a weight is too large for ") + dtype_name(as) + "; load the model as f32");
  return packed;
}

}  // namespace fovea
