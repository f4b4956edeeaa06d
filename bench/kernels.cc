// Products and decoding steps of published models beside what this machine's arithmetic and memory allow, measured in
// turns within one run. Prints Markdown; built and run by bench/kernels.mjs.
//
//   fovea_bench [tier] [threads] [repetitions]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "kernels/select.h"
#include "ops/ops.h"

namespace fovea {
namespace {

constexpr int64_t kColdBytes = int64_t{256} << 20;  // well beyond every cache

double seconds(const auto& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<float> random_floats(int64_t n) {
  Random random(1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = random.uniform();
  return values;
}

// A product x (m, k) * w (n, k)^T, with as many matrices as it takes to find none of them in a cache when `cold`.
class Product {
 public:
  Product(Ops& ops, DType dtype, int64_t m, int64_t n, int64_t k, bool cold)
      : ops_(ops), x_(random_floats(m * k)), out_(static_cast<size_t>(m * n)), m_(m), n_(n), k_(k) {
    const std::vector<float> weights = random_floats(n * k);
    const Tensor part(const_cast<float*>(weights.data()), DType::kF32, Device::kCpu, {n, k});
    do {
      matrices_.push_back(ops.pack({&part, 1}, dtype));
    } while (cold && bytes() * std::ssize(matrices_) < kColdBytes);
  }

  void run() {
    for (const auto& matrix : matrices_)
      ops_.linear({x_.data(), DType::kF32, Device::kCpu, {m_, k_}}, *matrix, {},
                  {out_.data(), DType::kF32, Device::kCpu, {m_, n_}});
  }
  int64_t bytes() const { return static_cast<int64_t>(matrices_.front()->bytes()); }
  double all_bytes() const { return static_cast<double>(bytes() * std::ssize(matrices_)); }
  double flops() const { return 2.0 * static_cast<double>(m_ * n_ * k_ * std::ssize(matrices_)); }

 private:
  Ops& ops_;
  std::vector<std::unique_ptr<PackedMatrix>> matrices_;
  std::vector<float> x_, out_;
  int64_t m_, n_, k_;
};

// Operations per second of one thread while all it needs is in its first cache: the tile loop alone.
double tile_peak(const KernelTable& kernels, DType dtype) {
  constexpr int64_t kRows = 12, kColumns = 32, kDepth = 256, kRounds = 200;
  // Zeros in whatever form; numbers do not change how long products take.
  alignas(64) thread_local float x[kRows * kDepth], panels[kColumns * kDepth], out[kRows * kColumns];
  thread_local float scratch[kGemmScratch], scales[kColumns] = {};
  thread_local int32_t sums[kRows * kDepth] = {};
  GemmTask task{x, kDepth, kRows, panels, 0, kDepth, kColumns, nullptr, out, kColumns, GemmMode::kStore, scratch};
  task.x_scales = task.w_scales = scales;
  task.x_sums = sums;
  const bool of_bytes = dtype == DType::kInt8;
  const auto kernel = of_bytes ? kernels.gemm_int8 : dtype == DType::kBF16 ? kernels.gemm_bf16 : kernels.gemm_f32;
  const int64_t numbers = of_bytes ? 4 * kDepth : kDepth;  // of k
  task.panel_stride = kDepth * kPanel * (of_bytes ? 4 : dtype == DType::kBF16 ? 2 : 4);
  const double time = seconds([&] {
    for (int64_t i = 0; i < kRounds; ++i) kernel(task);
  });
  return 2.0 * static_cast<double>(kRows * kColumns * numbers * kRounds) / time;
}

// Operations per second of one thread whose tiles stay in registers: what AMX gives at most. Selecting its kernels has
// asked the system for them.
double register_peak([[maybe_unused]] DType dtype) {
#if defined(__x86_64__)
  constexpr int64_t kRounds = 100000, kSums = 4;
  alignas(64) uint8_t layout[64] = {1};
  for (int tile = 0; tile < 8; ++tile) {
    layout[16 + 2 * tile] = 64;
    layout[48 + tile] = 16;
  }
  __asm__ volatile("ldtilecfg %0" : : "m"(layout));
  const bool of_bytes = dtype == DType::kInt8;
  const double time = seconds([&] {
    for (int64_t i = 0; i < kRounds; ++i)
      if (of_bytes) {
        __asm__ volatile(
            "tdpbssd %tmm4, %tmm6, %tmm0; tdpbssd %tmm4, %tmm7, %tmm1; tdpbssd %tmm5, %tmm6, %tmm2; "
            "tdpbssd %tmm5, %tmm7, %tmm3");
      } else {
        __asm__ volatile(
            "tdpbf16ps %tmm4, %tmm6, %tmm0; tdpbf16ps %tmm4, %tmm7, %tmm1; tdpbf16ps %tmm5, %tmm6, %tmm2; "
            "tdpbf16ps %tmm5, %tmm7, %tmm3");
      }
  });
  __asm__ volatile("tilerelease");
  return 2.0 * static_cast<double>(kRounds * kSums * 16 * 16 * (of_bytes ? 64 : 32)) / time;
#else
  return 0;
#endif
}

// What the threads together can do at most, measured.
double peak(ThreadPool& pool, const KernelTable& kernels, DType dtype) {
  const bool on_tiles = kernels.tier == std::string("amx") && dtype != DType::kF32;
  std::vector<double> rates(static_cast<size_t>(pool.threads()));
  pool.parallel_for(pool.threads(), [&](int64_t i) {
    rates[static_cast<size_t>(i)] = on_tiles ? register_peak(dtype) : tile_peak(kernels, dtype);
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

// Bytes per second that the threads read together.
double read_rate(ThreadPool& pool, const std::vector<uint64_t>& memory) {
  constexpr int64_t kChunk = 1 << 16;
  std::vector<uint64_t> sums(memory.size() / kChunk);
  const double time = seconds([&] {
    pool.parallel_for(std::ssize(sums), [&](int64_t i) {
      std::array<uint64_t, 32> sum{};  // so many that no sum waits for the one before
      for (int64_t j = 0; j < kChunk; j += std::ssize(sum))
        for (int64_t lane = 0; lane < std::ssize(sum); ++lane)
          sum[static_cast<size_t>(lane)] += memory[static_cast<size_t>(i * kChunk + j + lane)];
      for (const uint64_t of_lane : sum) sums[static_cast<size_t>(i)] += of_lane;
    });
  });
  return static_cast<double>(memory.size() * sizeof(uint64_t)) / time;
}

struct Shape {
  const char* model;
  const char* what;
  int64_t m, n, k;
};

constexpr Shape kShapes[] = {{"SmolVLM-256M", "tower, attention", 1024, 768, 768},
                             {"", "tower, FFN in", 1024, 3072, 768},
                             {"", "tower, FFN out", 1024, 768, 3072},
                             {"", "decoder, FFN in", 1139, 3072, 576},
                             {"Qwen2-VL-2B", "tower, FFN in", 1296, 5120, 1280},
                             {"", "decoder, FFN in", 324, 17920, 1536},
                             {"", "decoder, FFN out", 324, 1536, 8960},
                             {"LLaVA-1.5-7B", "tower, FFN in", 577, 4096, 1024},
                             {"", "decoder, attention", 620, 4096, 4096},
                             {"", "decoder, FFN out", 620, 4096, 11008}};
constexpr Shape kSteps[] = {{"SmolVLM-256M", "FFN in", 1, 3072, 576},
                            {"Qwen2-VL-2B", "FFN in", 1, 17920, 1536},
                            {"LLaVA-1.5-7B", "attention", 1, 4096, 4096}};

void measure(const std::string& tier, int threads, int repetitions) {
  const auto ops = make_cpu_ops(threads, tier);
  const KernelTable kernels = select_kernels(tier);
  ThreadPool pool(threads);
  std::printf("%s, %d threads; medians of %d\n\n", ops->tier().c_str(), ops->threads(), repetitions);
  std::printf("| product | m x n x k | dtype | GFLOP/s | all threads at most | share |\n|---|---|---|---|---|---|\n");
  for (const Shape& shape : kShapes)
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kInt8}) {
      Product product(*ops, dtype, shape.m, shape.n, shape.k, false);
      product.run();
      std::vector<double> rates, peaks;
      for (int i = 0; i < repetitions; ++i) {
        peaks.push_back(peak(pool, kernels, dtype) / 1e9);
        rates.push_back(product.flops() / seconds([&] { product.run(); }) / 1e9);
      }
      const double rate = median(rates), most = median(peaks);
      std::printf("| %s %s | %ld x %ld x %ld | %s | %.0f | %.0f | %.0f %% |\n", shape.model, shape.what,
                  static_cast<long>(shape.m), static_cast<long>(shape.n), static_cast<long>(shape.k), dtype_name(dtype),
                  rate, most, 100 * rate / most);
    }
  const std::vector<uint64_t> memory(kColdBytes / sizeof(uint64_t), 1);
  std::printf(
      "\n| one row | n x k | dtype | GB/s of weights | threads that only read | share |\n|---|---|---|---|---|---|\n");
  for (const Shape& shape : kSteps)
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kInt8, DType::kInt4}) {
      Product product(*ops, dtype, 1, shape.n, shape.k, true);
      std::vector<double> rates, reads;
      for (int i = 0; i < repetitions; ++i) {
        reads.push_back(read_rate(pool, memory) / 1e9);
        rates.push_back(product.all_bytes() / seconds([&] { product.run(); }) / 1e9);
      }
      const double rate = median(rates), read = median(reads);
      std::printf("| %s %s | %ld x %ld | %s | %.1f | %.1f | %.0f %% |\n", shape.model, shape.what,
                  static_cast<long>(shape.n), static_cast<long>(shape.k), dtype_name(dtype), rate, read,
                  100 * rate / read);
    }
}

}  // namespace
}  // namespace fovea

int main(int count, char** arguments) {
  const std::string tier = count > 1 ? arguments[1] : "auto";
  const int threads = count > 2 ? std::atoi(arguments[2]) : fovea::available_cores();
  fovea::measure(tier, threads, count > 3 ? std::atoi(arguments[3]) : 9);
}
