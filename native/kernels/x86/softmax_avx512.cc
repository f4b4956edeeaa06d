#include "kernels/x86/softmax_body.h"
#include "kernels/x86/vec_avx512.h"
