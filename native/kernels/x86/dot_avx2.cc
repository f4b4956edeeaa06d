#include "kernels/lanes/avx2.h"
#include "kernels/vector/dot_body.h"
