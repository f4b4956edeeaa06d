#include "kernels/x86/gemm_body.h"
#include "kernels/x86/vec_avx512.h"
