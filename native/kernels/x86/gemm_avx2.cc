#include "kernels/lanes/avx2.h"
#include "kernels/vector/gemm_body.h"
