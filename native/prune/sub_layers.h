// Which halves of a decoder layer run.
#pragma once

namespace fovea {

struct SubLayers {
  bool attention = true;
  bool ffn = true;
  bool operator==(const SubLayers&) const = default;
};

}  // namespace fovea
