// Rows that move: embeddings, gathers, copies, patches.
#include <cstring>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

std::byte* bytes_of(const Tensor& tensor, int64_t row) {
  return tensor.as<std::byte>() + static_cast<size_t>(row * tensor.row_stride) * element_size(tensor.dtype);
}

// One past the last byte.
std::byte* end_of(const Tensor& tensor) {
  if (tensor.elements() == 0) return tensor.as<std::byte>();
  return bytes_of(tensor, tensor.rows() - 1) + static_cast<size_t>(tensor.row_elements()) * element_size(tensor.dtype);
}

bool overlap(const Tensor& a, const Tensor& b) {
  return a.as<std::byte>() < end_of(b) && b.as<std::byte>() < end_of(a);
}

void require_indices(std::span<const int32_t> indices, int64_t limit, const char* op) {
  for (const int32_t index : indices)
    if (index < 0 || index >= limit)
      throw Error(ErrorCode::kInternal,
                  std::string(op) + ": row " + std::to_string(index) + " of " + std::to_string(limit));
}

bool ascends(std::span<const int32_t> rows) {
  for (size_t i = 1; i < rows.size(); ++i)
    if (rows[i] <= rows[i - 1]) return false;
  return true;
}

}  // namespace

void CpuOps::embed(const Tensor& table, std::span<const int32_t> ids, const Tensor& out) {
  require_shapes(table.rank == 2 && table.dtype != DType::kI32 && is_f32(out, 2) && table.shape[1] == out.shape[1] &&
                     out.rows() == static_cast<int64_t>(ids.size()),
                 "embed", "expected table (vocab, d), out (one row per id, d)", {{"table", table}, {"out", out}});
  require_indices(ids, table.rows(), "embed");
  const int64_t d = out.shape[1];
  for_rows(out.rows(), 2 * d, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::byte* source = bytes_of(table, ids[static_cast<size_t>(i)]);
      float* target = out.as<float>() + i * out.row_stride;
      if (table.dtype == DType::kF32) {
        std::memcpy(target, source, static_cast<size_t>(d) * sizeof(float));
      } else {
        const auto widen = table.dtype == DType::kF16 ? kernels_.widen_f16 : kernels_.widen_bf16;
        widen(reinterpret_cast<const uint16_t*>(source), d, target);
      }
    }
  });
}

void CpuOps::gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) {
  require_shapes(x.dtype == out.dtype && x.row_elements() == out.row_elements() && x.rank > 0 && out.rank > 0 &&
                     out.rows() == static_cast<int64_t>(rows.size()),
                 "gather_rows", "expected out of one row per index, as wide as x", {{"x", x}, {"out", out}});
  require_indices(rows, x.rows(), "gather_rows");
  const size_t bytes = static_cast<size_t>(x.row_elements()) * element_size(x.dtype);
  const auto move = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memmove(bytes_of(out, i), bytes_of(x, rows[static_cast<size_t>(i)]), bytes);
  };
  if (!overlap(x, out)) {
    for_rows(out.rows(), 2 * x.row_elements(), move);
    return;
  }
  // In place, front to back: a row only moves forward onto rows that have already moved.
  require_shapes(x.data == out.data && x.row_stride == out.row_stride && ascends(rows), "gather_rows",
                 "in place, out must be the front of x and the rows ascend", {{"x", x}, {"out", out}});
  move(0, out.rows());
}

void CpuOps::copy(const Tensor& x, const Tensor& out) {
  require_shapes(x.dtype == out.dtype && x.rows() == out.rows() && x.row_elements() == out.row_elements(), "copy",
                 "expected as many rows, as wide", {{"x", x}, {"out", out}});
  const size_t bytes = static_cast<size_t>(x.row_elements()) * element_size(x.dtype);
  if (bytes == 0) return;
  require_shapes(x.rows() == 0 || !overlap(x, out) || x.data == out.data, "copy", "x and out overlap",
                 {{"x", x}, {"out", out}});
  for_rows(x.rows(), 2 * x.row_elements(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::memmove(bytes_of(out, i), bytes_of(x, i), bytes);
  });
}

void CpuOps::patches(const Tensor& pixels, int64_t patch_size, const Tensor& out) {
  const int64_t p = patch_size, c = pixels.shape[1];
  require_shapes(is_f32(pixels, 4) && is_f32(out, 2) && p > 0 && p <= pixels.shape[2] && p <= pixels.shape[3] &&
                     out.rows() == pixels.rows() * (pixels.shape[2] / p) * (pixels.shape[3] / p) &&
                     out.shape[1] == c * p * p,
                 "patches", "expected pixels (n, c, h, w), out (n * h / p * w / p, c * p * p)",
                 {{"pixels", pixels}, {"out", out}});
  const int64_t h = pixels.shape[2], w = pixels.shape[3];
  const int64_t across = w / p, per_image = (h / p) * across;
  for_rows(out.rows(), 2 * out.shape[1], [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t patch = row % per_image;
      const float* corner =
          pixels.as<float>() + row / per_image * pixels.row_stride + patch / across * p * w + patch % across * p;
      float* target = out.as<float>() + row * out.row_stride;
      for (int64_t channel = 0; channel < c; ++channel)
        for (int64_t y = 0; y < p; ++y, target += p)
          std::memcpy(target, corner + (channel * h + y) * w, static_cast<size_t>(p) * sizeof(float));
    }
  });
}

bool CpuOps::all_finite(const Tensor& x) {
  require_shapes(x.rank >= 1 && is_f32(x, x.rank), "all_finite", "expected f32", {{"x", x}});
  std::atomic<bool> finite{true};
  for_rows(x.rows(), x.row_elements(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (!kernels_.all_finite(x.as<float>() + i * x.row_stride, x.row_elements()))
        finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

}  // namespace fovea
