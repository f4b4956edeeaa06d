// The tiny checkpoints of test/golden/variants and inputs for them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "model/model.h"
#include "test/numbers.h"

namespace fovea::test {

inline std::string variant(const std::string& name) {
  return (std::filesystem::path(FOVEA_SOURCE_DIR) / "test/golden/variants" / name).string();
}

inline std::vector<std::string> variant_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(variant("")))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

inline std::unique_ptr<Model> load_variant(const std::string& name, const std::string& dtype = "auto",
                                           int threads = 2) {
  LoadOptions options;
  options.dtype = dtype;
  options.threads = threads;
  return load_model(variant(name), options);
}

inline ImageInput random_image(int64_t size, uint64_t seed) {
  ImageInput image{std::vector<float>(static_cast<size_t>(3 * size * size)), size, size};
  Random random(seed);
  for (float& pixel : image.pixels) pixel = random.uniform() * 2;
  return image;
}

// Text ids around one run of image tokens per image; ids follow from seed. All variants know ids below 64.
inline std::vector<int32_t> prompt_ids(const Model& model, int n_images, int64_t n_text, uint64_t seed) {
  std::vector<int32_t> ids;
  Random random(seed);
  const auto text = [&](int64_t n) {
    for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(4 + random.next() % 60));
  };
  text(n_text / 2);
  for (int i = 0; i < n_images; ++i) {
    ids.insert(ids.end(), static_cast<size_t>(model.image_rows), model.image_token);
    text(1);
  }
  text(n_text - n_text / 2);
  return ids;
}

}  // namespace fovea::test
