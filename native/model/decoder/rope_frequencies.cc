#include "model/decoder/rope_frequencies.h"

#include <cmath>
#include <numbers>
#include <string>

namespace fovea {
namespace {

// Llama 3.1: long wavelengths are slowed by `factor`, short ones kept, those between interpolated.
void scale_llama3(const Json& rope, const Json& text_config, std::vector<float>& inv_freq) {
  const auto factor = static_cast<float>(rope.number_or("factor", 8.0));
  const auto low = static_cast<float>(rope.number_or("low_freq_factor", 1.0));
  const auto high = static_cast<float>(rope.number_or("high_freq_factor", 4.0));
  const auto old_context = static_cast<float>(rope.number_or(
      "original_max_position_embeddings", static_cast<double>(text_config.int_or("max_position_embeddings", 8192))));
  if (!(factor > 0)) rope.refuse("factor", "a number above 0");
  if (!(low > 0 && high > low)) rope.refuse("high_freq_factor", "a number above low_freq_factor, itself above 0");
  for (float& frequency : inv_freq) {
    const float wavelength = 2.0F * std::numbers::pi_v<float> / frequency;
    if (wavelength > old_context / low) {
      frequency /= factor;
    } else if (wavelength >= old_context / high) {
      const float smooth = (old_context / wavelength - low) / (high - low);
      frequency = (1.0F - smooth) * frequency / factor + smooth * frequency;
    }
  }
}

// The outcome of some scaling, as GGUF files have it: what each frequency is divided by.
void divide(const Json& rope, std::vector<float>& inv_freq) {
  const Json::Array& divisors = rope.required_array("divisors").array();
  if (divisors.size() != inv_freq.size())
    rope.refuse("divisors", "an array of " + std::to_string(inv_freq.size()) + ", half the width of a head");
  for (size_t i = 0; i < divisors.size(); ++i) {
    const auto divisor = divisors[i].is_number() ? static_cast<float>(divisors[i].number()) : 0.0F;
    if (!(divisor > 0 && std::isfinite(divisor))) rope.refuse("divisors", "an array of numbers above 0");
    inv_freq[i] /= divisor;
  }
}

}  // namespace

std::vector<float> rope_frequencies(const Json& text_config, int64_t d_head, double default_theta) {
  const Json* parameters = text_config.get("rope_parameters");
  const Json* scaling = parameters != nullptr ? parameters : text_config.get("rope_scaling");
  const double outer = text_config.number_or("rope_theta", default_theta);
  const double theta = parameters != nullptr ? parameters->number_or("rope_theta", outer) : outer;
  return rope_frequencies(text_config, scaling, theta, d_head);
}

std::vector<float> rope_frequencies(const Json& text_config, const Json* scaling, double theta, int64_t d_head) {
  if (!(theta > 0 && std::isfinite(theta))) text_config.refuse("rope_theta", "a number above 0");
  std::vector<float> inv_freq;
  for (int64_t i = 0; i < d_head; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(d_head);
    inv_freq.push_back(1.0F / std::pow(static_cast<float>(theta), exponent));
  }
  if (scaling == nullptr) return inv_freq;
  const std::string type = scaling->string_or("rope_type", scaling->string_or("type", "default"));
  if (type == "linear") {
    const auto factor = static_cast<float>(scaling->required_number("factor"));
    if (!(factor > 0)) scaling->refuse("factor", "a number above 0");
    for (float& frequency : inv_freq) frequency /= factor;
  } else if (type == "llama3") {
    scale_llama3(*scaling, text_config, inv_freq);
  } else if (type == "divisors") {
    divide(*scaling, inv_freq);
  } else if (type != "default" && type != "mrope" && type != "dynamic") {
    // mrope has the same frequencies, dynamic scales only beyond max_position_embeddings
    throw Error(ErrorCode::kModelUnsupported,
                "RoPE scaling \"" + type + "\" is not implemented; Fovea has default, linear, llama3 and dynamic");
  }
  return inv_freq;
}

}  // namespace fovea
