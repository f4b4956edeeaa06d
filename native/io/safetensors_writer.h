// Writes a safetensors file tensor by tensor, without knowing beforehand how many there will be: room for the header is
// left at the front. The file takes its name when it is whole, so nobody reads half of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

namespace fovea {

class SafetensorsWriter {
 public:
  // Data begins there: pages of the file, as it is mapped, begin with tensors' cache lines.
  static constexpr size_t kDataBegin = size_t{1} << 20;

  // Writes beside `path` until finish. Throws kInvalidArgument if it cannot, as all calls do.
  explicit SafetensorsWriter(std::string path);
  ~SafetensorsWriter();  // unless it was finished, nothing is left
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  // Appends a tensor of bytes (U8). name: new, and without characters that JSON escapes (kInternal).
  void add(const std::string& name, std::span<const std::byte> data);
  // Replaces what stood at `path`.
  void finish();

 private:
  [[noreturn]] void fail() const;

  std::string path_, beside_;
  std::ofstream file_;
  std::string entries_;  // of the header, so far
  uint64_t size_ = 0;    // of the data
};

}  // namespace fovea
