#include "kernels/x86/avx2_vec.h"
#include "kernels/x86/dot_body.h"
