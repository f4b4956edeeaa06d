// Weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json lists, memory-mapped.
// The format: an 8-byte little-endian header size, a JSON header, then the data of all tensors back to back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mmap.h"
#include "io/tensor_source.h"
#include "tensor/tensor.h"

namespace fovea {

constexpr uint64_t kMaxSafetensorsHeader = 100 * 1000 * 1000;
constexpr size_t kMaxSafetensorsRank = 8;

// One tensor as its header states it, checked against the file.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // as in the file: "F32", "BF16", "I64", …
  std::vector<int64_t> shape;  // each >= 0
  uint64_t begin;              // in bytes from the start of the file
  uint64_t end;
};

// Parses and checks the header at the start of a file. bytes: the file, or as much of it as holds the header;
// file_size: its whole size. Entries come in the order of their data, which they cover without hole or overlap.
// Throws kModelFormat; source names the file in the message.
std::vector<SafetensorsEntry> parse_safetensors_header(std::span<const std::byte> bytes, uint64_t file_size,
                                                       const std::string& source);

// Tensors lie where the files are mapped.
class SafetensorsFolder final : public TensorSource {
 public:
  // Throws kModelNotFound if files are missing and kModelFormat if they are damaged or contradict each other.
  explicit SafetensorsFolder(const std::string& folder);
  // The same of one file, whatever its name.
  static SafetensorsFolder of_file(const std::string& path);

  // A host view, aligned for its dtype; nullptr if there is no such tensor. A scalar has shape (1).
  // Throws kModelUnsupported for dtypes other than F32, F16 and BF16 and for more than five dimensions.
  const Tensor* find(std::string_view name) const;
  bool has(std::string_view name) const override { return tensors_.find(name) != tensors_.end(); }

  // As find; throws kModelFormat, naming the tensor, what was got and what was expected, if it is missing or has
  // another shape.
  Tensor require(std::string_view name, std::initializer_list<int64_t> shape) const;
  HeldTensor look(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const override;
  HeldTensor take(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const override {
    return look(name, shape, blocks_as);
  }
  // As they lie in the file, whatever the dtype; empty if there is no such tensor.
  std::span<const std::byte> stored_bytes(std::string_view name) const;

  std::vector<std::string> names() const;                      // sorted, usable or not
  const SafetensorsEntry* entry(std::string_view name) const;  // nullptr if there is no such tensor
  uint64_t bytes() const override { return bytes_; }
  void give_back() const override {
    for (const MappedFile& file : files_) file.give_back();
  }

 private:
  SafetensorsFolder() = default;

  struct Stored {
    SafetensorsEntry entry;
    size_t file;                        // index into files_
    Tensor tensor;                      // empty if the entry is not usable
    std::unique_ptr<std::byte[]> copy;  // of data that is not aligned in the file
  };

  void open(const std::string& path);
  void open_shards(const std::string& index_path);

  std::string folder_;
  std::vector<MappedFile> files_;
  std::map<std::string, Stored, std::less<>> tensors_;
  uint64_t bytes_ = 0;
};

}  // namespace fovea
