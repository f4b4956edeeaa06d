// Writes small GGUF files for tests: sound ones, and ones that lie.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace fovea::test {

class GgufWriter {
 public:
  enum Type : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

  uint32_t version = 3;
  uint64_t extra_tensors = 0, extra_keys = 0;  // claimed, but not there

  template <typename T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
  }
  static std::string text(const std::string& value) { return raw<uint64_t>(value.size()) + value; }

  // value: its bytes as they stand in the file.
  GgufWriter& key(const std::string& name, uint32_t type, const std::string& value) {
    keys_.push_back(text(name) + raw(type) + value);
    return *this;
  }
  GgufWriter& key(const std::string& name, uint32_t value) { return key(name, kU32, raw(value)); }
  GgufWriter& key(const std::string& name, const std::string& value) { return key(name, kString, text(value)); }
  GgufWriter& array(const std::string& name, uint32_t type, uint64_t count, const std::string& items) {
    return key(name, kArray, raw(type) + raw(count) + items);
  }

  // dims: the fastest first, as the file has them.
  GgufWriter& tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    std::string entry = text(name) + raw(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) entry += raw(dim);
    tensors_.push_back(entry + raw(type) + raw(offset));
    return *this;
  }

  // The file, with data behind the header at the next multiple of the alignment.
  std::string file(const std::string& data = "", size_t alignment = 32) const {
    std::string out = "GGUF" + raw(version) + raw<uint64_t>(tensors_.size() + extra_tensors) +
                      raw<uint64_t>(keys_.size() + extra_keys);
    for (const std::string& one : keys_) out += one;
    for (const std::string& one : tensors_) out += one;
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }

 private:
  std::vector<std::string> keys_, tensors_;
};

}  // namespace fovea::test
