#include "kernels/arm/neon_vec.h"
#include "kernels/vector/gemm_body.h"
