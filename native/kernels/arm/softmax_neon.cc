#include "kernels/arm/neon_vec.h"
#include "kernels/vector/softmax_body.h"
