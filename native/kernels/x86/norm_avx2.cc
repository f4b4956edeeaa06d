#include "kernels/lanes/avx2.h"
#include "kernels/vector/norm_body.h"
