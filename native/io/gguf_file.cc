#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "io/gguf.h"

namespace fovea {
namespace {

constexpr int64_t kMaxParts = 99999;  // the names have five digits

// What ends the name of part `no`, counted from 0, of `count`.
std::string part_ending(int64_t no, int64_t count) {
  char ending[64];
  std::snprintf(ending, sizeof(ending), "-%05lld-of-%05lld.gguf", static_cast<long long>(no + 1),
                static_cast<long long>(count));
  return ending;
}

}  // namespace

GgufFile::GgufFile(const std::string& path) {
  parts_.emplace_back(path);
  header_ = parse_gguf_header(parts_[0].bytes(), parts_[0].size(), path);
  const int64_t count = header_.metadata.int_or("split.count", 1);
  if (count == 1 || count == 0) return;  // 0: of a whole that was merged again
  const auto fail = [&](const std::string& part, const std::string& what) {
    throw Error(ErrorCode::kModelFormat, part + " " + what);
  };
  if (count < 0 || count > kMaxParts) fail(path, "says it is split into " + std::to_string(count) + " parts");
  const std::string ending = part_ending(0, count);
  if (header_.metadata.int_or("split.no", 0) != 0 || !path.ends_with(ending))
    fail(path, "is part " + std::to_string(header_.metadata.int_or("split.no", 0) + 1) + " of " +
                   std::to_string(count) + "; name the first, whose name ends with " + ending);
  const std::string stem = path.substr(0, path.size() - ending.size());
  for (int64_t no = 1; no < count; ++no) {
    const std::string name = stem + part_ending(no, count);
    const MappedFile& part = parts_.emplace_back(name);
    GgufHeader header = parse_gguf_header(part.bytes(), part.size(), name);
    if (header.metadata.int_or("split.no", -1) != no || header.metadata.int_or("split.count", -1) != count)
      fail(name, "is not part " + std::to_string(no + 1) + " of " + std::to_string(count) + " as its name says");
    for (auto& [tensor, entry] : header.tensors) {
      entry.part = static_cast<size_t>(no);
      if (!header_.tensors.emplace(tensor, std::move(entry)).second)
        fail(name, "has the tensor " + tensor + " of an earlier part again");
    }
    if (header_.tensors.size() > kMaxGgufTensors)
      fail(name, "brings the tensors to more than " + std::to_string(kMaxGgufTensors));
  }
  const auto found = static_cast<int64_t>(header_.tensors.size());
  const int64_t claimed = header_.metadata.int_or("split.tensors.count", found);
  if (claimed != found)
    fail(path, "and its parts have " + std::to_string(found) + " tensors; split.tensors.count says " +
                   std::to_string(claimed));
}

}  // namespace fovea
