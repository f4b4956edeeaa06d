#include "kernels/x86/norm_body.h"
#include "kernels/x86/vec_avx2.h"
