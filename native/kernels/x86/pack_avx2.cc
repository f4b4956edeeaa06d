#include "kernels/x86/pack_body.h"
#include "kernels/x86/vec_avx2.h"
