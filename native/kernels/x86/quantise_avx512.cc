#include "kernels/lanes/avx512.h"
#include "kernels/vector/quantise_body.h"
