// Arrays that a script of test/golden/record wrote (common.py says how).
#pragma once

#include <span>
#include <string>

#include "io/json.h"
#include "io/mmap.h"
#include "test/check.h"

namespace fovea::test {

class Golden {
 public:
  // name: below test/golden, without an ending.
  explicit Golden(const std::string& name)
      : json_(read_json_file(path(name) + ".json")),
        file_(path(name) + ".bin"),
        tensors_(json_.required_object("tensors")) {}

  const Json& json() const { return json_; }
  bool has(const std::string& name) const { return tensors_.has(name); }
  template <typename T>
  std::span<const T> read(const std::string& name) const {
    const Json& tensor = tensors_.required_object(name);
    size_t n = 1;
    for (const Json& dim : tensor.required_array("shape").array()) n *= static_cast<size_t>(*dim.integer());
    const size_t offset = static_cast<size_t>(tensor.required_int("offset"));
    REQUIRE(offset + n * sizeof(T) <= file_.size());
    return {reinterpret_cast<const T*>(file_.data() + offset), n};
  }

 private:
  static std::string path(const std::string& name) { return std::string(FOVEA_SOURCE_DIR) + "/test/golden/" + name; }

  Json json_;
  MappedFile file_;
  Json tensors_;
};

}  // namespace fovea::test
