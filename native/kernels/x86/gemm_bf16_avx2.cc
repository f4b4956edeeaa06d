#include "kernels/lanes/avx2.h"
#include "kernels/vector/gemm_bf16_body.h"
