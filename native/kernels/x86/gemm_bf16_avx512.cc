#include "kernels/x86/avx512_vec.h"
#include "kernels/x86/gemm_bf16_body.h"
