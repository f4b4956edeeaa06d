// GGUF files, the format of llama.cpp: metadata by key, and tensors, some of them in blocks of small integers.
//
// Layout, little-endian: "GGUF", a version, how many tensors and keys; the keys with typed values; name, dimensions,
// type and offset of every tensor; then, from the next multiple of the alignment on, the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/gguf_blocks.h"
#include "io/json.h"
#include "io/mmap.h"

namespace fovea {

constexpr uint64_t kMaxGgufTensors = uint64_t{1} << 16;
constexpr uint64_t kMaxGgufKeys = uint64_t{1} << 16;
constexpr size_t kMaxGgufKeyBytes = 65535;
constexpr uint64_t kMaxGgufStringBytes = uint64_t{1} << 24;  // a tokenizer or a template inside a string has less
constexpr size_t kMaxGgufRank = 4;

// One tensor as the header states it, checked against the file.
struct GgufEntry {
  GgufType type;
  std::vector<int64_t> shape;  // slowest dimension first, as everywhere here; the file has them the other way round
  uint64_t begin;              // in bytes from the start of the file
  uint64_t end;
  size_t part = 0;  // of a model that is split into several files
};

struct GgufHeader {
  Json metadata;  // an object: keys such as "llama.block_count", dots and all
  std::map<std::string, GgufEntry, std::less<>> tensors;
};

// Parses and checks the header at the start of a file. bytes: the file, or as much of it as holds the header;
// file_size: its whole size. Throws kModelFormat, or kModelUnsupported for versions, byte orders and types of tensors
// that Fovea does not know; source names the file in the message.
GgufHeader parse_gguf_header(std::span<const std::byte> bytes, uint64_t file_size, const std::string& source);

// A file, mapped, or the parts that one was split into (name-00001-of-00003.gguf and so on): the first of them has the
// metadata, all have tensors. Const methods may be called from several threads.
class GgufFile {
 public:
  // path: of parts, the first; the others lie beside it. Throws kModelNotFound, kModelFormat for parts that do not
  // belong together, and as parse_gguf_header.
  explicit GgufFile(const std::string& path);

  const std::string& path() const { return parts_[0].path(); }
  const Json& metadata() const { return header_.metadata; }
  const GgufEntry* entry(std::string_view name) const {  // nullptr if there is no such tensor
    const auto found = header_.tensors.find(name);
    return found == header_.tensors.end() ? nullptr : &found->second;
  }
  const std::map<std::string, GgufEntry, std::less<>>& entries() const { return header_.tensors; }
  const std::byte* data(const GgufEntry& entry) const { return parts_[entry.part].data() + entry.begin; }
  void give_back() const {
    for (const MappedFile& part : parts_) part.give_back();
  }

 private:
  std::vector<MappedFile> parts_;
  GgufHeader header_;
};

}  // namespace fovea
