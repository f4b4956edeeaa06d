#include "kernels/lanes/avx512.h"
#include "kernels/vector/dot_body.h"
