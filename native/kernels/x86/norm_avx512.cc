#include "kernels/x86/norm_body.h"
#include "kernels/x86/vec_avx512.h"
