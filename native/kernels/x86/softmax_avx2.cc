#include "kernels/lanes/avx2.h"
#include "kernels/vector/softmax_body.h"
