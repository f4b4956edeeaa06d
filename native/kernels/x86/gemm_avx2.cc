#include "kernels/x86/avx2_vec.h"
#include "kernels/vector/gemm_body.h"
