#include "kernels/lanes/avx2.h"
#include "kernels/vector/pack_body.h"
