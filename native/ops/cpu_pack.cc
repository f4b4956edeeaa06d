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

constexpr int64_t kMostBytes = int64_t{1} << 16;  // inputs of a sum of byte products
// Of parts, were they f32, that are packed between two calls of after_some.
constexpr int64_t kSomeBytes = int64_t{1} << 25;

enum Fault : uint32_t { kSound = 0, kNotFinite = 1, kOverflow = 2 };

// k numbers of one row, or null beyond the last row.
struct SourceRow {
  const void* data = nullptr;
  DType dtype = DType::kF32;
};

bool is_finite(float x) { return (bits_of_float(x) & 0x7f800000u) != 0x7f800000u; }

// A float of 16 bits, by its dtype.
float widen(uint16_t x, DType dtype) { return dtype == DType::kF16 ? f16_to_f32(x) : bf16_to_f32(x); }
uint16_t narrow(float x, DType dtype) { return dtype == DType::kF16 ? f32_to_f16(x) : f32_to_bf16(x); }

// n numbers of a row from its number `begin` on, as f32; zeros if there is no row.
uint32_t widen_row(const KernelTable& kernels, const SourceRow& row, int64_t begin, int64_t n, float* out) {
  if (row.data == nullptr) {
    std::fill_n(out, n, 0.0f);
    return kSound;
  }
  const auto* source = static_cast<const std::byte*>(row.data) + static_cast<size_t>(begin) * element_size(row.dtype);
  if (row.dtype == DType::kF32) {
    std::memcpy(out, source, static_cast<size_t>(n) * sizeof(float));
  } else {
    (row.dtype == DType::kF16 ? kernels.widen_f16 : kernels.widen_bf16)(reinterpret_cast<const uint16_t*>(source), n,
                                                                        out);
  }
  return kernels.all_finite(out, n) ? kSound : kNotFinite;
}

constexpr int64_t kBlock = 256;  // of k: 16 rows of it stay in the first cache

// The same as floats of 16 bits; n <= kBlock.
uint32_t narrow_row(const KernelTable& kernels, const SourceRow& row, int64_t begin, int64_t n, DType as,
                    uint16_t* out) {
  std::array<float, kBlock> numbers;
  uint32_t fault = widen_row(kernels, row, begin, n, numbers.data());
  if (row.data != nullptr && row.dtype == as) {
    std::memcpy(out, static_cast<const uint16_t*>(row.data) + begin, static_cast<size_t>(n) * sizeof(uint16_t));
    return fault;
  }
  for (int64_t i = 0; i < n; ++i) {
    out[i] = narrow(numbers[static_cast<size_t>(i)], as);
    if (fault == kSound && !is_finite(widen(out[i], as))) fault = kOverflow;
  }
  return fault;
}

// Rows become lanes in words of 32 bits: a float, or two of 16 bits, the last of which may have no number.
uint32_t pack_float_panel(const KernelTable& kernels, const std::array<SourceRow, kPanel>& rows, int64_t k, DType as,
                          std::byte* panel) {
  alignas(64) std::array<float, kPanel * kBlock> block;  // [16][kBlock] words
  alignas(64) std::array<uint32_t, kPanel * kBlock / 2> pairs;
  uint32_t fault = kSound;
  for (int64_t begin = 0; begin < k; begin += kBlock) {
    const int64_t n = std::min(kBlock, k - begin);
    if (as == DType::kF32) {
      for (size_t lane = 0; lane < kPanel; ++lane)
        fault |= widen_row(kernels, rows[lane], begin, n, &block[lane * kBlock]);
      kernels.pack_rows(block.data(), kBlock, kPanel, n, reinterpret_cast<float*>(panel) + begin * kPanel);
      continue;
    }
    for (size_t lane = 0; lane < kPanel; ++lane) {
      auto* numbers = reinterpret_cast<uint16_t*>(&block[lane * kBlock]);
      fault |= narrow_row(kernels, rows[lane], begin, n, as, numbers);
      if (n % 2 == 1) numbers[n] = 0;
    }
    const int64_t words = (n + 1) / 2;
    if (as == DType::kBF16) {
      kernels.pack_rows(block.data(), kBlock, kPanel, words, reinterpret_cast<float*>(panel) + begin / 2 * kPanel);
      continue;
    }
    kernels.pack_rows(block.data(), kBlock, kPanel, words, reinterpret_cast<float*>(pairs.data()));
    auto* out = reinterpret_cast<uint16_t*>(panel) + begin * kPanel;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t lane = 0; lane < kPanel; ++lane)
        out[i * kPanel + lane] =
            static_cast<uint16_t>(pairs[static_cast<size_t>(i / 2 * kPanel + lane)] >> (i % 2 * 16));
  }
  return fault;
}

// scales (16): of the panel's outputs.
uint32_t pack_int8_panel(const KernelTable& kernels, const std::array<SourceRow, kPanel>& rows, int64_t k,
                         std::byte* panel, float* scales) {
  const int64_t groups = (k + kGroup - 1) / kGroup, words = (k + kWordBytes - 1) / kWordBytes;
  std::vector<float> row(static_cast<size_t>(k));
  std::vector<int8_t> bytes(static_cast<size_t>(kPanel * groups * kGroup));
  std::vector<int32_t> sums(static_cast<size_t>(groups));
  uint32_t fault = kSound;
  for (size_t lane = 0; lane < kPanel; ++lane) {
    fault |= widen_row(kernels, rows[lane], 0, k, row.data());
    int8_t* of_lane = &bytes[lane * static_cast<size_t>(groups * kGroup)];
    const float scale = kernels.quantise_row(row.data(), k, of_lane, sums.data());
    scales[lane] = rows[lane].data != nullptr ? scale : 0;
  }
  kernels.pack_rows(reinterpret_cast<const float*>(bytes.data()), groups * kGroupWords, kPanel, words,
                    reinterpret_cast<float*>(panel));
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
    fault |= widen_row(kernels, rows[lane], 0, k, row.data());
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

// Row `index` of the stacked parts, or none.
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

std::unique_ptr<PackedMatrix> CpuOps::pack(std::span<const Tensor> parts, DType as, Outputs outputs,
                                           const std::function<void()>& after_some) {
  const int64_t n = checked_outputs(parts);
  const int64_t k = parts[0].shape[1];
  const bool of_bytes = as == DType::kInt8 || as == DType::kInt4;
  if (!is_float(as) && !of_bytes) throw Error(ErrorCode::kInternal, std::string("pack: weights as ") + dtype_name(as));
  // 255 * 127 of them fit 32 bits.
  if (of_bytes && k > kMostBytes)
    throw Error(ErrorCode::kModelUnsupported, "a weight has " + std::to_string(k) + " inputs; as " + dtype_name(as) +
                                                  " it may have " + std::to_string(kMostBytes) +
                                                  "; load the model as bf16");
  if (outputs == Outputs::kGated && n % 2 != 0)
    throw Error(ErrorCode::kInternal, "pack: " + std::to_string(n) + " outputs are no gates and as many to gate");
  auto packed = std::make_unique<PackedPanels>(n, k, as, outputs);
  std::atomic<uint32_t> faults{kSound};
  const auto pack_panel = [&](int64_t index) {
    std::array<SourceRow, kPanel> rows;
    for (int64_t lane = 0; lane < kPanel; ++lane)
      rows[static_cast<size_t>(lane)] = source_row(parts, packed->output_at(index, lane));
    std::byte* panel = packed->panel(index);
    const uint32_t fault = as == DType::kInt8
                               ? pack_int8_panel(kernels_, rows, k, panel, packed->scales() + index * kPanel)
                           : as == DType::kInt4 ? pack_int4_panel(kernels_, rows, k, panel)
                                                : pack_float_panel(kernels_, rows, k, as, panel);
    faults.fetch_or(fault, std::memory_order_relaxed);
  };
  const int64_t some = std::max<int64_t>(1, kSomeBytes / (kPanelBytes * k));
  for (int64_t begin = 0; begin < packed->n_panels(); begin += some) {
    pool_.parallel_for(std::min(some, packed->n_panels() - begin), [&](int64_t i) { pack_panel(begin + i); });
    if (after_some) after_some();
  }
  if ((faults & kNotFinite) != 0)
    throw Error(ErrorCode::kNumeric, "a weight is NaN or infinite; the file is damaged, download it again");
  if ((faults & kOverflow) != 0)
    throw Error(ErrorCode::kNumeric,
                std::string("a weight is too large for ") + dtype_name(as) + "; load the model as f32");
  return packed;
}

std::unique_ptr<PackedMatrix> CpuOps::packed_in(std::span<const std::byte> storage, int64_t n, int64_t k, DType dtype,
                                                Outputs outputs) {
  auto packed = std::make_unique<PackedPanels>(n, k, dtype, outputs, storage.data());
  const bool is_aligned = reinterpret_cast<uintptr_t>(storage.data()) % kAlignment == 0;
  if (storage.size() != packed->bytes() || !is_aligned) return nullptr;
  return packed;
}

}  // namespace fovea
