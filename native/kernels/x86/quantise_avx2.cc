#include "kernels/lanes/avx2.h"
#include "kernels/vector/quantise_body.h"
