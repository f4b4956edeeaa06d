#include "kernels/x86/avx2_vec.h"
#include "kernels/vector/gemm_bf16_body.h"
