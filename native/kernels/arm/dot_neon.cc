#include "kernels/lanes/neon.h"
#include "kernels/vector/dot_body.h"
