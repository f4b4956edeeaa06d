#include "kernels/lanes/avx2.h"
#include "kernels/vector/fill.h"

namespace fovea::avx2 {

void fill(KernelTable& table) {
  table.tier = "avx2";
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

}  // namespace fovea::avx2
