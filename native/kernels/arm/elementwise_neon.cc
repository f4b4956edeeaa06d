#include "kernels/lanes/neon.h"
#include "kernels/vector/elementwise_body.h"
