#include "kernels/x86/avx2_vec.h"
#include "kernels/vector/pack_body.h"
