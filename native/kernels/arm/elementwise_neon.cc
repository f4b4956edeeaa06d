#include "kernels/arm/neon_vec.h"
#include "kernels/vector/elementwise_body.h"
