#include "kernels/arm/neon_vec.h"
#include "kernels/vector/norm_body.h"
