#include "kernels/x86/avx2_vec.h"
#include "kernels/x86/quantise_body.h"
