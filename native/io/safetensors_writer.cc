#include "io/safetensors_writer.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "base/error.h"
#include "io/utf8_path.h"

namespace fovea {
namespace {

constexpr size_t kPrefix = 8;  // bytes of the header's size
constexpr size_t kHeader = SafetensorsWriter::kDataBegin - kPrefix;

// Two processes may write the same file at once.
std::string name_beside(const std::string& path) {
  std::random_device random;
  return path + "." + std::to_string(random()) + ".part";
}

bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path)
    : path_(std::move(path)), beside_(name_beside(path_)), file_(utf8_path(beside_), std::ios::binary) {
  file_.seekp(static_cast<std::streamoff>(kDataBegin));
  if (!file_) fail();
}

SafetensorsWriter::~SafetensorsWriter() {
  if (path_.empty()) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(utf8_path(beside_), ignored);
}

void SafetensorsWriter::add(const std::string& name, std::span<const std::byte> data) {
  if (!std::all_of(name.begin(), name.end(), is_plain)) throw Error(ErrorCode::kInternal, "a tensor's name: " + name);
  const uint64_t end = size_ + data.size();
  entries_ += (entries_.empty() ? "\"" : ",\"") + name + "\":{\"dtype\":\"U8\",\"shape\":[" +
              std::to_string(data.size()) + "],\"data_offsets\":[" + std::to_string(size_) + "," + std::to_string(end) +
              "]}";
  size_ = end;
  file_.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!file_) fail();
}

void SafetensorsWriter::finish() {
  std::string header = "{" + entries_ + "}";
  if (header.size() > kHeader)
    throw Error(ErrorCode::kInvalidArgument, path_ + ": too many tensors for a header of a megabyte");
  header.resize(kHeader, ' ');
  std::string prefix(kPrefix, '\0');
  for (size_t i = 0; i < kPrefix; ++i) prefix[i] = static_cast<char>(kHeader >> (8 * i));
  file_.seekp(0);
  file_ << prefix << header;
  file_.close();
  if (!file_) fail();
  std::error_code error;
  std::filesystem::rename(utf8_path(beside_), utf8_path(path_), error);
  if (error) fail();
  path_.clear();
}

void SafetensorsWriter::fail() const {
  throw Error(ErrorCode::kInvalidArgument, "cannot write " + path_ + "; is there room, and is it allowed?");
}

}  // namespace fovea
