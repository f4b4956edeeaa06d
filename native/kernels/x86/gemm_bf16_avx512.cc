#include "kernels/lanes/avx512.h"
#include "kernels/vector/gemm_bf16_body.h"
