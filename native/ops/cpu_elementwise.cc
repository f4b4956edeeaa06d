// Norms, activations, sums, short convolutions, rotary positions.
#include <cmath>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

// A vector of d numbers.
bool is_vector(const Tensor& tensor, int64_t d) { return is_f32(tensor, 1) && tensor.rows() == d && tensor.dense(); }

float* row_of(const Tensor& tensor, int64_t row) { return tensor.as<float>() + row * tensor.row_stride; }

}  // namespace

void CpuOps::rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& out) {
  require_shapes(is_f32(x, 2) && is_f32(out, 2) && same_shape(x, out) && is_vector(weight, x.shape[1]), "rms_norm",
                 "expected x and out (m, d), weight (d)", {{"x", x}, {"weight", weight}, {"out", out}});
  const int64_t d = x.shape[1];
  for_rows(x.rows(), 2 * d, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels_.rms_norm(row_of(x, i), weight.as<float>(), eps, d, row_of(out, i));
  });
}

void CpuOps::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& out) {
  require_shapes(is_f32(x, 2) && is_f32(out, 2) && same_shape(x, out) && is_vector(weight, x.shape[1]) &&
                     (bias.empty() || is_vector(bias, x.shape[1])),
                 "layer_norm", "expected x and out (m, d), weight and bias (d)",
                 {{"x", x}, {"weight", weight}, {"bias", bias}, {"out", out}});
  const int64_t d = x.shape[1];
  for_rows(x.rows(), 3 * d, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.layer_norm(row_of(x, i), weight.as<float>(), bias.as<float>(), eps, d, row_of(out, i));
  });
}

void CpuOps::normalise_rows(const Tensor& x, const Tensor& out) {
  require_shapes(is_f32(x, 2) && is_f32(out, 2) && same_shape(x, out), "normalise_rows", "expected x and out (m, d)",
                 {{"x", x}, {"out", out}});
  for_rows(x.rows(), 2 * x.shape[1], [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels_.normalise(row_of(x, i), x.shape[1], row_of(out, i));
  });
}

void CpuOps::add(const Tensor& x, const Tensor& y) {
  const bool broadcast = y.rank == 1;
  require_shapes(is_f32(x, 2) && (broadcast ? is_vector(y, x.shape[1]) : is_f32(y, 2) && same_shape(x, y)), "add",
                 "expected x (m, d), y (m, d) or (d)", {{"x", x}, {"y", y}});
  for_rows(x.rows(), 2 * x.shape[1], [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.add(row_of(x, i), broadcast ? y.as<float>() : row_of(y, i), x.shape[1]);
  });
}

void CpuOps::scale_rows(const Tensor& x, std::span<const float> factors) {
  require_shapes(is_f32(x, 2) && x.rows() == static_cast<int64_t>(factors.size()), "scale_rows",
                 "expected x (m, d), m factors", {{"x", x}});
  for_rows(x.rows(), 2 * x.shape[1], [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = row_of(x, i);
      for (int64_t c = 0; c < x.shape[1]; ++c) row[c] *= factors[static_cast<size_t>(i)];
    }
  });
}

void CpuOps::scale_columns(const Tensor& x, const Tensor& factors) {
  require_shapes(is_f32(x, 2) && is_vector(factors, x.shape[1]), "scale_columns", "expected x (m, d), factors (d)",
                 {{"x", x}, {"factors", factors}});
  for_rows(x.rows(), 2 * x.shape[1], [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = row_of(x, i);
      for (int64_t c = 0; c < x.shape[1]; ++c) row[c] *= factors.as<float>()[c];
    }
  });
}

void CpuOps::gated_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& window,
                        const Tensor& out) {
  const int64_t m = x.rows(), d = out.shape[1], taps = weight.rows();
  require_shapes(is_f32(x, 2) && is_f32(out, 2) && is_f32(weight, 2) && is_f32(window, 2) && out.rows() == m &&
                     x.shape[1] == 3 * d && weight.shape[1] == d && weight.dense() && taps >= 1 &&
                     (bias.empty() || is_vector(bias, d)) && window.shape[1] == d && window.rows() == taps - 1 + m,
                 "gated_conv",
                 "expected x (m, 3 d), weight (taps, d), bias (d) or none, window (taps - 1 + m, d), out (m, d)",
                 {{"x", x}, {"weight", weight}, {"bias", bias}, {"window", window}, {"out", out}});
  for_rows(m, 3 * d, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.multiply(row_of(x, i), row_of(x, i) + 2 * d, d, row_of(window, taps - 1 + i));
  });
  for_rows(m, (2 * taps + 2) * d, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernels_.gated_conv(row_of(window, i), window.row_stride, weight.as<float>(), bias.as<float>(), row_of(x, i) + d,
                          taps, d, row_of(out, i));
  });
}

void CpuOps::rope_table(std::span<const Position> positions, std::span<const float> inv_freq,
                        std::span<const Axis> axes, const Tensor& table) {
  const auto half = static_cast<int64_t>(inv_freq.size());
  require_shapes(is_f32(table, 2) && table.rows() == static_cast<int64_t>(positions.size()) &&
                     table.shape[1] == 2 * half && (axes.empty() || axes.size() == inv_freq.size()),
                 "rope_table", "expected one row per position, two columns and no or one axis per frequency",
                 {{"table", table}});
  for_rows(table.rows(), 32 * half, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* out = row_of(table, row);
      const Position& position = positions[static_cast<size_t>(row)];
      for (int64_t i = 0; i < half; ++i) {
        const Axis axis = axes.empty() ? Axis::kTime : axes[static_cast<size_t>(i)];
        const float angle = static_cast<float>(position.on(axis)) * inv_freq[static_cast<size_t>(i)];
        out[i] = std::cos(angle);
        out[half + i] = std::sin(angle);
      }
    }
  });
}

void CpuOps::rope(const Tensor& x, const Tensor& table) {
  require_shapes(is_f32(x, 3) && is_f32(table, 2) && x.rows() == table.rows() && x.shape[2] == table.shape[1] &&
                     x.shape[2] % 2 == 0,
                 "rope", "expected x (m, n_heads, d_head), table (m, d_head), d_head even",
                 {{"x", x}, {"table", table}});
  const int64_t d_head = x.shape[2];
  for_rows(x.rows(), 2 * x.row_elements(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* cosine = row_of(table, i);
      kernels_.rope(row_of(x, i), cosine, cosine + d_head / 2, x.shape[1], d_head);
    }
  });
}

}  // namespace fovea
