// The activation names that transformers configs use.
#pragma once

#include <string>

#include "io/json.h"
#include "ops/ops.h"

namespace fovea {

// config.key, or fallback. Throws kModelUnsupported for a name that no backend implements.
Activation parse_activation(const Json& config, const std::string& key, const std::string& fallback);

}  // namespace fovea
