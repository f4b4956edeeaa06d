#include "kernels/x86/avx512_vec.h"
#include "kernels/vector/dot_body.h"
