#include "kernels/lanes/neon.h"
#include "kernels/vector/softmax_body.h"
