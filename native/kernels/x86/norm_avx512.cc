#include "kernels/lanes/avx512.h"
#include "kernels/vector/norm_body.h"
