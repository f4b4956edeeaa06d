#include "kernels/lanes/avx2.h"
#include "kernels/vector/elementwise_body.h"
