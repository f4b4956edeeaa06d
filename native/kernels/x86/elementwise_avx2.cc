#include "kernels/x86/elementwise_body.h"
#include "kernels/x86/vec_avx2.h"
