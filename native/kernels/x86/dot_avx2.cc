#include "kernels/x86/avx2_vec.h"
#include "kernels/vector/dot_body.h"
