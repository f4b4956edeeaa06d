#include "kernels/arm/neon_vec.h"
#include "kernels/vector/pack_body.h"
