#include "kernels/lanes/neon.h"
#include "kernels/vector/gemm_bf16_body.h"
