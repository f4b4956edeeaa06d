#include "kernels/lanes/avx512.h"
#include "kernels/vector/fill.h"

namespace fovea::avx512 {

void fill(KernelTable& table) {
  table.tier = "avx512";
  fill_gemm(table);
  fill_gemm_bf16(table);
  fill_quantise(table);
  fill_dot(table);
  fill_pack(table);
  fill_softmax(table);
  fill_norm(table);
  fill_elementwise(table);
}

}  // namespace fovea::avx512
