#include "kernels/lanes/neon.h"
#include "kernels/vector/pack_body.h"
