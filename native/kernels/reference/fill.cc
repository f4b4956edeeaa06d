#include "kernels/reference/fill.h"

namespace fovea::reference {

void fill(KernelTable& table) {
  table.tier = "scalar";
  table.gemm_rows = 192;
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

}  // namespace fovea::reference
