// Weights from a file to panels: stacked, converted or rounded, checked for NaN and infinity.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "ops/cpu_ops.h"
#include "ops/packed_panels.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

// at(i, lane): where a panel holds the weight of input i and output `lane`.
struct F32 {
  using Element = float;
  static int64_t at(int64_t i, int64_t lane) { return i * kPanel + lane; }
  static float widen(float x) { return x; }
  static float narrow(float x) { return x; }
};
struct F16 {
  using Element = uint16_t;
  static int64_t at(int64_t i, int64_t lane) { return i * kPanel + lane; }
  static float widen(uint16_t x) { return f16_to_f32(x); }
  static uint16_t narrow(float x) { return f32_to_f16(x); }
};
struct BF16 {
  using Element = uint16_t;
  static int64_t at(int64_t i, int64_t lane) { return (i / 2 * kPanel + lane) * 2 + i % 2; }
  static float widen(uint16_t x) { return bf16_to_f32(x); }
  static uint16_t narrow(float x) { return f32_to_bf16(x); }
};

constexpr int64_t kMostBytes = int64_t{1} << 16;  // inputs of a sum of byte products

enum Fault : uint32_t { kSound = 0, kNotFinite = 1, kOverflow = 2 };

// k numbers of one row, or null beyond the last row.
struct SourceRow {
  const void* data = nullptr;
  DType dtype = DType::kF32;
};

bool is_finite(float x) { return (bits_of_float(x) & 0x7f800000u) != 0x7f800000u; }

// One row into lane `lane` of a panel.
template <typename Source, typename Target>
uint32_t pack_lane(const void* row, int64_t k_begin, int64_t k_end, int64_t lane, void* panel) {
  const auto* source = static_cast<const typename Source::Element*>(row);
  auto* target = static_cast<typename Target::Element*>(panel);
  uint32_t fault = kSound;
  for (int64_t i = k_begin; i < k_end; ++i) {
    const float value = Source::widen(source[i]);
    const auto stored = Target::narrow(value);
    if (!is_finite(Target::widen(stored))) fault |= is_finite(value) ? kOverflow : kNotFinite;
    target[Target::at(i, lane)] = stored;
  }
  return fault;
}

template <typename Target>
void clear_lane(int64_t k_begin, int64_t k_end, int64_t lane, void* panel) {
  auto* target = static_cast<typename Target::Element*>(panel);
  for (int64_t i = k_begin; i < k_end; ++i) target[Target::at(i, lane)] = 0;
}

// The panel is `depth` >= k deep.
template <typename Target>
uint32_t pack_panel(const std::array<SourceRow, kPanel>& rows, int64_t k, int64_t depth, void* panel) {
  constexpr int64_t kBlock = 128;  // of k: the part of a panel being written stays in L1
  uint32_t fault = kSound;
  for (int64_t lane = 0; lane < kPanel; ++lane) clear_lane<Target>(k, depth, lane, panel);
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

// k numbers of a row as f32; zeros if there is none.
uint32_t widen_row(const KernelTable& kernels, const SourceRow& row, int64_t k, float* out) {
  if (row.data == nullptr) {
    std::fill_n(out, k, 0.0f);
  } else if (row.dtype == DType::kF32) {
    std::memcpy(out, row.data, static_cast<size_t>(k) * sizeof(float));
  } else {
    (row.dtype == DType::kF16 ? kernels.widen_f16 : kernels.widen_bf16)(static_cast<const uint16_t*>(row.data), k, out);
  }
  return kernels.all_finite(out, k) ? kSound : kNotFinite;
}

// scales (16): of the panel's outputs.
uint32_t pack_int8_panel(const KernelTable& kernels, const std::array<SourceRow, kPanel>& rows, int64_t k,
                         std::byte* panel, float* scales) {
  const int64_t groups = (k + kGroup - 1) / kGroup, words = (k + kWordBytes - 1) / kWordBytes;
  std::vector<float> row(static_cast<size_t>(k));
  std::vector<int8_t> bytes(static_cast<size_t>(groups * kGroup));
  std::vector<int32_t> sums(static_cast<size_t>(groups));
  uint32_t fault = kSound;
  for (size_t lane = 0; lane < kPanel; ++lane) {
    fault |= widen_row(kernels, rows[lane], k, row.data());
    const float scale = kernels.quantise_row(row.data(), k, bytes.data(), sums.data());
    if (rows[lane].data != nullptr) scales[lane] = scale;
    for (int64_t i = 0; i < words; ++i)
      std::memcpy(panel + (i * kPanel + static_cast<int64_t>(lane)) * kWordBytes, bytes.data() + i * kWordBytes,
                  kWordBytes);
  }
  return fault;
}

// The nibbles of one group of k, with their scale and minimum as f16 holds them.
struct Int4Group {
  std::array<uint8_t, kGroup> nibbles{};
  uint16_t scale = 0, minimum = 0;
};

uint32_t round_group(const float* x, int64_t count, Int4Group& group) {
  const auto [least, most] = std::minmax_element(x, x + count);
  group.scale = f32_to_f16((*most - *least) / 15.0f);
  group.minimum = f32_to_f16(*least);
  const float scale = f16_to_f32(group.scale), minimum = f16_to_f32(group.minimum);
  if (!is_finite(scale) || !is_finite(minimum)) return kOverflow;
  for (int64_t i = 0; i < count; ++i) {
    const float steps = scale > 0 ? (x[i] - minimum) / scale : 0.0f;
    group.nibbles[static_cast<size_t>(i)] = static_cast<uint8_t>(std::clamp(std::nearbyint(steps), 0.0f, 15.0f));
  }
  return kSound;
}

uint32_t pack_int4_panel(const KernelTable& kernels, const std::array<SourceRow, kPanel>& rows, int64_t k,
                         std::byte* panel) {
  std::vector<float> row(static_cast<size_t>(k));
  uint32_t fault = kSound;
  std::memset(panel, 0, static_cast<size_t>((k + kGroup - 1) / kGroup * kInt4GroupBytes));
  for (size_t lane = 0; lane < kPanel; ++lane) {
    fault |= widen_row(kernels, rows[lane], k, row.data());
    for (int64_t begin = 0; begin < k && fault == kSound; begin += kGroup) {
      Int4Group group;
      fault |= round_group(row.data() + begin, std::min(kGroup, k - begin), group);
      auto* out = reinterpret_cast<uint8_t*>(panel) + begin / kGroup * kInt4GroupBytes;
      for (int64_t i = 0; i < kGroup; ++i) {
        const int64_t pair = i / (2 * kWordBytes), shift = i / kWordBytes % 2 * 4;
        uint8_t& both = out[(pair * kPanel + static_cast<int64_t>(lane)) * kWordBytes + i % kWordBytes];
        both = static_cast<uint8_t>(both | (group.nibbles[static_cast<size_t>(i)] << shift));
      }
      auto* scales = reinterpret_cast<uint16_t*>(out + kGroup * kPanel / 2);
      scales[lane] = group.scale;
      scales[kPanel + lane] = group.minimum;
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

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

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
  const int64_t k = parts[0].shape[1];
  const bool of_bytes = as == DType::kInt8 || as == DType::kInt4;
  if (!is_float(as) && !of_bytes) throw Error(ErrorCode::kInternal, std::string("pack: weights as ") + dtype_name(as));
  // 255 * 127 of them fit 32 bits.
  if (of_bytes && k > kMostBytes)
    throw Error(ErrorCode::kModelUnsupported, "a weight has " + std::to_string(k) + " inputs; as " + dtype_name(as) +
                                                  " it may have " + std::to_string(kMostBytes) +
                                                  "; load the model as bf16");
  auto packed = std::make_unique<PackedPanels>(n, k, as);
  std::atomic<uint32_t> faults{kSound};
  pool_.parallel_for(packed->n_panels(), [&](int64_t index) {
    std::array<SourceRow, kPanel> rows;
    for (int64_t lane = 0; lane < kPanel; ++lane)
      rows[static_cast<size_t>(lane)] = source_row(parts, index * kPanel + lane);
    std::byte* panel = packed->panel(index);
    const int64_t depth = packed->depth();
    const uint32_t fault = as == DType::kF32    ? pack_panel<F32>(rows, k, depth, panel)
                           : as == DType::kF16  ? pack_panel<F16>(rows, k, depth, panel)
                           : as == DType::kBF16 ? pack_panel<BF16>(rows, k, depth, panel)
                           : as == DType::kInt8
                               ? pack_int8_panel(kernels_, rows, k, panel, packed->scales() + index * kPanel)
                               : pack_int4_panel(kernels_, rows, k, panel);
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
