// Values that were read from a file as JavaScript values.
#pragma once

#include <napi.h>

#include "io/json.h"

namespace fovea {

// An integer beyond 2^53 loses its last bits.
Napi::Value to_js(Napi::Env env, const Json& json);

}  // namespace fovea
