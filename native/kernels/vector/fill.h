// The parts of a tier's fill, one per body of this folder. FOVEA_TIER names the tier.
#pragma once

#include "kernels/kernel_table.h"

namespace fovea::FOVEA_TIER {

void fill_gemm(KernelTable& table);
void fill_gemm_bf16(KernelTable& table);
void fill_gemm_int8(KernelTable& table);
void fill_gemm_int4(KernelTable& table);
void fill_bf16_pairs(KernelTable& table);
void fill_quantise(KernelTable& table);
void fill_dot(KernelTable& table);
void fill_pack(KernelTable& table);
void fill_softmax(KernelTable& table);
void fill_norm(KernelTable& table);
void fill_elementwise(KernelTable& table);

// What fill_gemm_int8 fills in.
void gemm_int8(const GemmTask& task);
void gemm_int4(const GemmTask& task);

}  // namespace fovea::FOVEA_TIER
