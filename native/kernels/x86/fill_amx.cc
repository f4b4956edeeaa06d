// The tier of CPUs that multiply tiles (AMX): the products of bf16 and of bytes, all else is the tiers' before it.
#define FOVEA_TIER amx
#include "kernels/vector/fill.h"

namespace fovea::amx {

void fill(KernelTable& table) {
  table.tier = "amx";
  table.gemm_rows = kGemmRows;
  fill_gemm_bf16(table);
  fill_gemm_int8(table);
  fill_gemm_int4(table);
}

}  // namespace fovea::amx
