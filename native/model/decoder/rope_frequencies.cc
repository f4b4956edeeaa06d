#include "model/decoder/rope_frequencies.h"

#include <algorithm>
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

double positive(const Json& rope, const char* key, double value) {
  if (!(value > 0 && std::isfinite(value))) rope.refuse(key, "a number above 0");
  return value;
}

double context_of(const Json& text_config) {
  return static_cast<double>(text_config.int_or("max_position_embeddings", 2048));
}

double old_context_of(const Json& rope, const Json& text_config) {
  const char* key = "original_max_position_embeddings";
  return positive(rope, key, rope.number_or(key, context_of(text_config)));
}

double yarn_factor(const Json& rope, const Json& text_config) {
  return positive(rope, "factor",
                  rope.number_or("factor", context_of(text_config) / old_context_of(rope, text_config)));
}

// YaRN: frequencies that turn often within the old context are kept, those that turn seldom slowed by `factor`; between
// the two there is a ramp over the frequencies' numbers. In f32 and f64 where transformers computes in them.
void scale_yarn(const Json& rope, const Json& text_config, double theta, std::vector<float>& inv_freq) {
  const double factor = yarn_factor(rope, text_config), old_context = old_context_of(rope, text_config);
  const double width = 2.0 * static_cast<double>(inv_freq.size());
  if (!(theta > 1)) text_config.refuse("rope_theta", "a number above 1 with YaRN");
  // The number of the frequency that turns so often.
  const auto number_of = [&](const char* key, double fallback) {
    const double stated = rope.number_or(key, fallback), turns = positive(rope, key, stated == 0 ? fallback : stated);
    return width * std::log(old_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  double low = number_of("beta_fast", 32), high = number_of("beta_slow", 1);
  if (rope.bool_or("truncate", true)) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    const float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float kept = 1.0F - std::clamp(ramp, 0.0F, 1.0F);
    const float slowed = 1.0F / (static_cast<float>(factor) / inv_freq[i]);
    inv_freq[i] = slowed * (1.0F - kept) + inv_freq[i] * kept;
  }
}

std::string type_of(const Json* scaling) {
  return scaling == nullptr ? "default" : scaling->string_or("rope_type", scaling->string_or("type", "default"));
}

const Json* scaling_of(const Json& text_config) {
  const Json* parameters = text_config.get("rope_parameters");
  return parameters != nullptr ? parameters : text_config.get("rope_scaling");
}

}  // namespace

double rope_attention_factor(const Json& text_config) {
  return rope_attention_factor(text_config, scaling_of(text_config));
}

double rope_attention_factor(const Json& text_config, const Json* scaling) {
  if (type_of(scaling) != "yarn") return 1;
  const char* key = "attention_factor";
  if (scaling->has(key)) return positive(*scaling, key, scaling->required_number(key));
  const double factor = yarn_factor(*scaling, text_config);
  const auto grown = [&](double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1; };
  const double scale = scaling->number_or("mscale", 0), all = scaling->number_or("mscale_all_dim", 0);
  // One of the two alone says nothing.
  return scale != 0 && all != 0 ? positive(*scaling, "mscale", grown(scale) / grown(all)) : grown(1);
}

std::vector<float> rope_frequencies(const Json& text_config, int64_t d_head, double default_theta) {
  const Json* parameters = text_config.get("rope_parameters");
  const Json* scaling = scaling_of(text_config);
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
  const std::string type = type_of(scaling);
  if (type == "linear") {
    const auto factor = static_cast<float>(scaling->required_number("factor"));
    if (!(factor > 0)) scaling->refuse("factor", "a number above 0");
    for (float& frequency : inv_freq) frequency /= factor;
  } else if (type == "llama3") {
    scale_llama3(*scaling, text_config, inv_freq);
  } else if (type == "yarn") {
    scale_yarn(*scaling, text_config, theta, inv_freq);
  } else if (type == "divisors") {
    divide(*scaling, inv_freq);
  } else if (type != "default" && type != "mrope" && type != "dynamic") {
    // mrope has the same frequencies, dynamic scales only beyond max_position_embeddings
    throw Error(
        ErrorCode::kModelUnsupported,
        "RoPE scaling \"" + type + "\" is not implemented; Fovea has default, linear, llama3, yarn, mrope and dynamic");
  }
  return inv_freq;
}

}  // namespace fovea
