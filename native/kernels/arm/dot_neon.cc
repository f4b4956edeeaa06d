#include "kernels/arm/neon_vec.h"
#include "kernels/vector/dot_body.h"
