#include "ops/cpu_ops.h"

#include <cstring>

#include "base/aligned.h"
#include "base/cpu.h"
#include "base/error.h"
#include "kernels/select.h"
#include "ops/shapes.h"

namespace fovea {
namespace {

constexpr int kMostThreads = 256;

int checked_threads(int threads) {
  if (threads < 0 || threads > kMostThreads)
    throw Error(ErrorCode::kInvalidArgument, "threads is " + std::to_string(threads) +
                                                 ", expected 0 (one per core) to " + std::to_string(kMostThreads));
  return threads == 0 ? available_cores() : threads;
}

}  // namespace

CpuOps::CpuOps(int threads, const std::string& isa) : kernels_(select_kernels(isa)), pool_(checked_threads(threads)) {}

Buffer CpuOps::allocate(size_t bytes) { return Buffer(aligned_allocate(bytes), bytes, aligned_release); }

void CpuOps::copy_from_host(const void* source, const Tensor& out) {
  require_shapes(out.dense() && out.device == Device::kCpu, "copy_from_host", "out must be dense", {{"out", out}});
  if (out.elements() > 0) std::memcpy(out.data, source, static_cast<size_t>(out.elements()) * element_size(out.dtype));
}

void CpuOps::copy_to_host(const Tensor& x, void* out) {
  Tensor dense = x;
  dense.data = out;
  dense.row_stride = x.row_elements();
  copy(x, dense);
}

std::unique_ptr<Ops> make_cpu_ops(int threads, const std::string& isa) {
  return std::make_unique<CpuOps>(threads, isa);
}

}  // namespace fovea
