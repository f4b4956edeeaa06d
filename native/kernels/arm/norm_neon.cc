#include "kernels/lanes/neon.h"
#include "kernels/vector/norm_body.h"
