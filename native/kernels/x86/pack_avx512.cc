#include "kernels/lanes/avx512.h"
#include "kernels/vector/pack_body.h"
