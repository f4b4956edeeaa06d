// The parts of reference::fill, one per file of this folder.
#pragma once

#include "kernels/kernel_table.h"

namespace fovea::reference {

void fill_gemm(KernelTable& table);
void fill_gemm_bf16(KernelTable& table);
void fill_gemm_int8(KernelTable& table);
void fill_quantise(KernelTable& table);
void fill_dot(KernelTable& table);
void fill_pack(KernelTable& table);
void fill_softmax(KernelTable& table);
void fill_norm(KernelTable& table);
void fill_elementwise(KernelTable& table);

// What gemm_bf16 of the tier amx does.
void gemm_bf16_on_tiles(const GemmTask& task);

}  // namespace fovea::reference
