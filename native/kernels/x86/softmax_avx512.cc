#include "kernels/lanes/avx512.h"
#include "kernels/vector/softmax_body.h"
