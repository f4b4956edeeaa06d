#include "kernels/arm/neon_vec.h"
#include "kernels/vector/quantise_body.h"
