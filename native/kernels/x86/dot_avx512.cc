#include "kernels/x86/avx512_vec.h"
#include "kernels/x86/dot_body.h"
