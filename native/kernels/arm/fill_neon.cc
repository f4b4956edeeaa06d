#include "kernels/lanes/neon.h"
#include "kernels/vector/fill.h"

namespace fovea::neon {

void fill(KernelTable& table) {
  table.tier = "neon";
  fill_gemm(table);
  fill_gemm_bf16(table);
  fill_gemm_int8(table);
  fill_quantise(table);
  fill_dot(table);
  fill_pack(table);
  fill_softmax(table);
  fill_norm(table);
  fill_elementwise(table);
}

}  // namespace fovea::neon
