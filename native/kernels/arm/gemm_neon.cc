#include "kernels/lanes/neon.h"
#include "kernels/vector/gemm_body.h"
