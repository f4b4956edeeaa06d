#include "kernels/lanes/neon.h"
#include "kernels/vector/quantise_body.h"
