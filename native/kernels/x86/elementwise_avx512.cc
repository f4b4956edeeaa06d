#include "kernels/lanes/avx512.h"
#include "kernels/vector/elementwise_body.h"
