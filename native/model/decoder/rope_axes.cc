#include "model/decoder/rope_axes.h"

#include <optional>
#include <string>

namespace fovea {

std::vector<Axis> rope_axes(const Json& text_config, int64_t d_head, RopeSections sections) {
  constexpr std::array<Axis, 3> kAxes = {Axis::kTime, Axis::kHeight, Axis::kWidth};
  const int64_t half = d_head / 2;
  const Json* parameters = text_config.get("rope_parameters");
  const Json* rope = parameters != nullptr ? parameters : text_config.get("rope_scaling");
  const bool is_stated = rope != nullptr && rope->has("mrope_section");
  const auto refuse = [&] {
    (is_stated ? *rope : text_config)
        .refuse("mrope_section",
                "three counts of frequencies that add up to " + std::to_string(half) + ", half the width of a head");
  };
  if (is_stated) {
    const Json::Array& stated = rope->required_array("mrope_section").array();
    if (stated.size() != kAxes.size()) refuse();
    for (size_t i = 0; i < stated.size(); ++i) {
      const std::optional<int64_t> count = stated[i].integer();
      if (!count || *count < 0 || *count > half) refuse();
      sections.counts[i] = *count;
    }
  }
  if (sections.counts[0] + sections.counts[1] + sections.counts[2] != half) refuse();
  std::vector<Axis> axes;
  if (sections.interleaved) {
    for (int64_t i = 0; i < half; ++i) {
      const auto axis = static_cast<size_t>(i % 3);
      axes.push_back(i / 3 < sections.counts[axis] ? kAxes[axis] : Axis::kTime);
    }
  } else {
    for (size_t i = 0; i < kAxes.size(); ++i)
      axes.insert(axes.end(), static_cast<size_t>(sections.counts[i]), kAxes[i]);
  }
  return axes;
}

}  // namespace fovea
