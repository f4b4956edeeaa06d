#include "model/activation.h"

#include <map>

namespace fovea {

Activation parse_activation(const Json& config, const std::string& key, const std::string& fallback) {
  static const std::map<std::string, Activation> kNames = {
      {"gelu", Activation::kGelu},         {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_new", Activation::kGeluTanh}, {"quick_gelu", Activation::kQuickGelu},
      {"silu", Activation::kSilu},         {"swish", Activation::kSilu},
      {"relu", Activation::kRelu},
  };
  const std::string name = config.string_or(key, fallback);
  const auto found = kNames.find(name);
  if (found == kNames.end())
    throw Error(
        ErrorCode::kModelUnsupported,
        key + " is \"" + name + "\"; Fovea has gelu, gelu_pytorch_tanh, gelu_new, quick_gelu, silu, swish and relu");
  return found->second;
}

}  // namespace fovea
