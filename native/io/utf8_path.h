// File names are UTF-8 everywhere in Fovea; the library reads a narrow string as the system's code page.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fovea {

inline std::filesystem::path utf8_path(std::string_view text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

}  // namespace fovea
