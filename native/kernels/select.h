// Which kernels run: the best tier this CPU has, or the one asked for.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace fovea {

// Ascending, beginning with "scalar".
std::vector<std::string> available_tiers();

// isa: a tier name, or "auto": the best available, capped by the environment variable FOVEA_ISA. A tier that does not
// exist or that this CPU lacks throws kIsa: a silent fallback would make measurements lie.
KernelTable select_kernels(const std::string& isa);

}  // namespace fovea
