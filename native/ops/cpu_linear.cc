// Matrix products: cut into blocks of rows and panels that the gemm kernels take.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "ops/cpu_ops.h"
#include "ops/packed_panels.h"
#include "ops/shapes.h"
#include "ops/workspace.h"

namespace fovea {
namespace {

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How an (m, n) product is cut: panels first, rows where a block would not fit the kernel.
struct Blocks {
  int64_t panels;  // per block
  int64_t across;  // blocks of panels
  int64_t rows;    // per block
  int64_t down;    // blocks of rows
};

Blocks cut(int64_t m, int64_t n, int threads, int64_t most_rows, int64_t most_panels) {
  constexpr int64_t kAbreast = 4;  // panels that a kernel likes to take together
  const int64_t n_panels = ceil_divide(n, kPanel);
  Blocks blocks{};
  blocks.down = ceil_divide(m, most_rows);
  // Whole strips of 12 rows, which is what every tier packs.
  blocks.rows = std::min(most_rows, ceil_divide(ceil_divide(m, blocks.down), 12) * 12);
  blocks.down = ceil_divide(m, blocks.rows);
  // Four blocks per thread even out the end; one thread has nothing to even out.
  const int64_t wanted = threads == 1 ? n_panels : ceil_divide(n_panels * blocks.down, 4 * threads);
  blocks.panels = std::clamp(ceil_divide(wanted, kAbreast) * kAbreast, int64_t{1}, most_panels);
  blocks.across = ceil_divide(n_panels, blocks.panels);
  return blocks;
}

// From rounded row to rounded row: an odd number of cache lines, so that a column of many rows does not want one place
// of a cache.
int64_t odd_lines(int64_t floats) {
  constexpr auto kLine = static_cast<int64_t>(kAlignment / sizeof(float));
  return (ceil_divide(floats, kLine) | 1) * kLine;
}

// Of rounded rows at a time: they should stay in the last caches.
constexpr int64_t kRoundedFloats = int64_t{1} << 20;

void (*kernel_of(const KernelTable& kernels, DType weights))(const GemmTask&) {
  switch (weights) {
    case DType::kF16:
      return kernels.gemm_f16;
    case DType::kBF16:
      return kernels.gemm_bf16;
    case DType::kInt8:
      return kernels.gemm_int8;
    case DType::kInt4:
      return kernels.gemm_int4;
    default:
      return kernels.gemm_f32;
  }
}

static_assert(static_cast<int>(Activation::kGelu) == 0 && static_cast<int>(Activation::kGeluTanh) == 1 &&
                  static_cast<int>(Activation::kQuickGelu) == 2 && static_cast<int>(Activation::kSilu) == 3 &&
                  static_cast<int>(Activation::kRelu) == kActivations - 1,
              "KernelTable::activate is indexed by Activation");

// Below this many multiply-adds, waking a thread costs more than it saves.
constexpr int64_t kWorthSharing = 100000;

bool bias_fits(const Tensor& bias, int64_t n) {
  return bias.empty() || (is_f32(bias, 1) && bias.rows() == n && bias.dense());
}

}  // namespace

void CpuOps::linear(const Tensor& x, const PackedMatrix& w, const Tensor& bias, const Tensor& out, bool accumulate) {
  product("linear", x, w, bias, out, Outputs::kPlain, accumulate ? GemmMode::kAdd : GemmMode::kStore, std::nullopt);
}

void CpuOps::linear_activated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                              const Tensor& out) {
  product("linear_activated", x, w, bias, out, Outputs::kPlain, GemmMode::kStore, kind);
}

void CpuOps::linear_gated(const Tensor& x, const PackedMatrix& w, const Tensor& bias, Activation kind,
                          const Tensor& out) {
  product("linear_gated", x, w, bias, out, Outputs::kGated, GemmMode::kStore, kind);
}

void CpuOps::product(const char* op, const Tensor& x, const PackedMatrix& packed, const Tensor& bias, const Tensor& out,
                     Outputs outputs, GemmMode mode, Then then) {
  const auto* w = dynamic_cast<const PackedPanels*>(&packed);
  if (w == nullptr || w->kind() != outputs)
    throw Error(ErrorCode::kInternal, std::string(op) + ": weights packed for another op or backend");
  const int64_t m = x.rows(), n = w->outputs(), k = w->inputs(), width = outputs == Outputs::kGated ? n / 2 : n;
  require_shapes(is_f32(x, 2) && is_f32(out, 2) && x.shape[1] == k && out.shape[1] == width && out.rows() == m &&
                     bias_fits(bias, n),
                 op,
                 ("expected x (m, k), out (m, " + std::to_string(width) + "), bias (n) or none for w " +
                  std::to_string(n) + " x " + std::to_string(k))
                     .c_str(),
                 {{"x", x}, {"bias", bias}, {"out", out}});
  if (m == 0) return;
  GemmTask whole{};
  whole.x = x.data;
  whole.x_stride = x.row_stride;
  whole.m = m;
  whole.panel_stride = w->panel_stride();
  whole.k = w->depth();
  whole.n = width;
  whole.bias = bias.empty() ? nullptr : bias.as<float>();
  whole.out = out.as<float>();
  whole.out_stride = out.row_stride;
  whole.mode = mode;
  if (w->dtype() == DType::kF32 || w->dtype() == DType::kF16) {
    multiply(whole, *w, then, pool_.threads());
    return;
  }
  // Rows are rounded to what multiplies such weights.
  const auto multiply_rounded = [&](int64_t begin, int64_t end, int threads) {
    const Tensor rows = x.slice(begin, end - begin);
    GemmTask part = whole;
    part.m = rows.rows();
    part.out += begin * out.row_stride;
    if (w->of_bytes()) {
      to_bytes(rows, *w, part, threads);
    } else {
      to_bf16(rows, *w, part, threads);
    }
    multiply(part, *w, then, threads);
  };
  // Of many rows a thread rounds what it multiplies, so that it finds them in its own cache. Of few, whose weights
  // should not be read once for each thread, all threads round some.
  const int threads = pool_.threads();
  const int64_t rounds = ceil_divide(m, kernels_.gemm_rows * threads), pieces = rounds * threads;
  if (threads > 1 && rounds > 1) {
    pool_.parallel_for(pieces, [&](int64_t i) { multiply_rounded(m * i / pieces, m * (i + 1) / pieces, 1); });
    return;
  }
  const int64_t most = std::max(kGemmRows, kRoundedFloats / w->depth());  // they should stay in the last caches
  for (int64_t begin = 0; begin < m; begin += most) multiply_rounded(begin, std::min(m, begin + most), threads);
}

// The rows x (m, k) become those of `task`, rounded.
void CpuOps::to_bytes(const Tensor& x, const PackedPanels& w, GemmTask& task, int threads) {
  const int64_t m = x.rows(), groups = w.groups(), words = odd_lines(groups * kGroupWords);
  auto* bytes = reinterpret_cast<int8_t*>(scratch(Scratch::kRounded, m * (words + groups + 1)));
  auto* sums = reinterpret_cast<int32_t*>(bytes + m * words * kWordBytes);
  auto* scales = reinterpret_cast<float*>(sums + m * groups);
  for_rows(m, w.inputs(), threads, [&](int64_t row, int64_t end) {
    for (; row < end; ++row)
      scales[row] = kernels_.quantise_row(x.as<float>() + row * x.row_stride, w.inputs(),
                                          bytes + row * words * kWordBytes, sums + row * groups);
  });
  task.x = bytes;
  task.x_stride = words;
  task.x_scales = scales;
  task.x_sums = sums;
  task.x_sums_stride = groups;
  task.w_scales = w.scales();
}

void CpuOps::to_bf16(const Tensor& x, const PackedPanels& w, GemmTask& task, int threads) {
  const int64_t stride = odd_lines(w.depth() / kernels_.bf16_per_float);
  float* rounded = scratch(Scratch::kRounded, x.rows() * stride);
  for_rows(x.rows(), w.inputs(), threads, [&](int64_t row, int64_t end) {
    for (; row < end; ++row)
      kernels_.round_bf16(x.as<float>() + row * x.row_stride, w.inputs(), rounded + row * stride);
  });
  task.x = rounded;
  task.x_stride = stride;
}

// `whole` but for its panels and scratch; any m and n, which is the width of out.
void CpuOps::multiply(const GemmTask& whole, const PackedPanels& w, Then then, int most_threads) {
  const auto kernel = kernel_of(kernels_, w.dtype());
  const bool gated = w.kind() == Outputs::kGated;
  const int64_t columns = gated ? w.n_panels() * kPanel : whole.n;
  const int threads = whole.m * columns * w.inputs() < kWorthSharing ? 1 : most_threads;
  const Blocks blocks = cut(whole.m, columns, threads, kernels_.gemm_rows, kGemmColumns / kPanel);
  const auto block = [&](int64_t index) {
    const int64_t row = index % blocks.down * blocks.rows, panel = index / blocks.down * blocks.panels;
    const int64_t column = panel * kPanel;
    GemmTask task = whole;
    task.x = static_cast<const float*>(whole.x) + row * whole.x_stride;  // words are as wide as floats
    task.m = std::min(blocks.rows, whole.m - row);
    task.panels = w.panel(panel);
    task.n = std::min(blocks.panels * kPanel, columns - column);
    if (w.of_bytes()) {
      task.x_scales += row;
      task.x_sums += row * whole.x_sums_stride;
      if (task.w_scales != nullptr) task.w_scales += column;
    }
    task.scratch = scratch(Scratch::kGemm, kGemmScratch);
    float* out = whole.out + row * whole.out_stride + (gated ? column / 2 : column);
    if (!gated) {
      task.out = out;
      if (task.bias != nullptr) task.bias += column;
      kernel(task);
      if (!then) return;
      const auto activate = kernels_.activate[static_cast<size_t>(*then)];
      for (int64_t i = 0; i < task.m; ++i) activate(out + i * whole.out_stride, task.n);
      return;
    }
    std::array<float, kGemmColumns> bias;  // in the order of the panels
    if (task.bias != nullptr) {
      for (int64_t i = 0; i < task.n; ++i) {
        const int64_t output = w.output_at(panel + i / kPanel, i % kPanel);
        bias[static_cast<size_t>(i)] = output < w.outputs() ? whole.bias[output] : 0;
      }
      task.bias = bias.data();
    }
    task.out = scratch(Scratch::kGated, task.m * task.n);
    task.out_stride = task.n;
    kernel(task);
    kernels_.gated[static_cast<size_t>(*then)](task.out, task.n, task.m, std::min(task.n / 2, whole.n - column / 2),
                                               out, whole.out_stride);
  };
  if (threads == 1) {
    for (int64_t i = 0; i < blocks.across * blocks.down; ++i) block(i);
  } else {
    pool_.parallel_for(blocks.across * blocks.down, block);
  }
}

void CpuOps::dot_rows(const Tensor& a, const Tensor& b, std::span<double> out) {
  const int64_t m = a.rows(), n = b.rows(), k = a.rank == 2 ? a.shape[1] : 0;
  require_shapes(is_f32(a, 2) && is_f32(b, 2) && b.shape[1] == k && std::ssize(out) == m * n, "dot_rows",
                 ("expected a (m, k), b (n, k) and room for m * n numbers, not " + std::to_string(out.size())).c_str(),
                 {{"a", a}, {"b", b}});
  if (m == 0 || n == 0) return;
  constexpr int64_t kResident = 1 << 17;  // floats of b per block: half of a usual L2, while a goes through
  const int64_t threads = m * n * k < kWorthSharing ? 1 : pool_.threads();
  const int64_t rows = std::clamp(std::min(kResident / std::max<int64_t>(k, 1), ceil_divide(n, 4 * threads)),
                                  int64_t{4}, std::max<int64_t>(n, 4));
  const auto block = [&](int64_t index) {
    const int64_t first = index * rows;
    kernels_.dot_rows(a.as<float>(), a.row_stride, m, b.as<float>() + first * b.row_stride, b.row_stride,
                      std::min(rows, n - first), k, out.data() + first, n);
  };
  if (threads == 1) {
    for (int64_t i = 0; i < ceil_divide(n, rows); ++i) block(i);
  } else {
    pool_.parallel_for(ceil_divide(n, rows), block);
  }
}

}  // namespace fovea
