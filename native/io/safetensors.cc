// A folder of safetensors files as tensors; the header of a file is parsed in safetensors_header.cc.
#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "base/error.h"
#include "io/json.h"
#include "io/utf8_path.h"

namespace fovea {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::kModelFormat, source + ": " + problem);
}

std::string utf8_string(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

// The dtype of a Tensor, if it has one for what the file calls dtype.
bool tensor_dtype(std::string_view dtype, DType* out) {
  if (dtype == "F32") *out = DType::kF32;
  if (dtype == "F16") *out = DType::kF16;
  if (dtype == "BF16") *out = DType::kBF16;
  return dtype == "F32" || dtype == "F16" || dtype == "BF16";
}

// Nothing but a file name: a shard must not lie outside the folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\:\0", 4)) == name.npos;
}

// A view of the entry's data, wherever it lies; empty if a Tensor cannot hold it.
Tensor view(const SafetensorsEntry& entry, const std::byte* data) {
  DType dtype;
  if (!tensor_dtype(entry.dtype, &dtype) || entry.shape.size() > Tensor::kMaxRank) return {};
  // Views are read-only by convention: the pages are mapped without write permission.
  Tensor tensor(const_cast<std::byte*>(data), dtype, Device::kCpu, {1});
  tensor.rank = std::max<int>(1, static_cast<int>(entry.shape.size()));
  std::copy(entry.shape.begin(), entry.shape.end(), tensor.shape.begin());
  tensor.row_stride = tensor.row_elements();
  return tensor;
}

}  // namespace

SafetensorsFolder::SafetensorsFolder(const std::string& folder) : folder_(folder) {
  const std::filesystem::path root = utf8_path(folder);
  std::error_code ignored;
  if (!std::filesystem::is_directory(root, ignored))
    throw Error(ErrorCode::kModelNotFound, "model folder not found: " + folder);
  if (std::filesystem::exists(root / kSingleFile, ignored)) {
    open(utf8_string(root / kSingleFile));
  } else if (std::filesystem::exists(root / kIndexFile, ignored)) {
    open_shards(utf8_string(root / kIndexFile));
  } else {
    throw Error(ErrorCode::kModelNotFound,
                "no weights in " + folder + ": expected " + kSingleFile + " or " + kIndexFile);
  }
}

SafetensorsFolder SafetensorsFolder::of_file(const std::string& path) {
  SafetensorsFolder one;
  one.folder_ = path;
  one.open(path);
  return one;
}

void SafetensorsFolder::open(const std::string& path) {
  MappedFile file(path);
  for (SafetensorsEntry& entry : parse_safetensors_header(file.bytes(), file.size(), path)) {
    const std::string name = entry.name;
    const size_t size = static_cast<size_t>(entry.end - entry.begin);
    const std::byte* data = file.data() + entry.begin;
    Stored stored{std::move(entry), files_.size(), {}, nullptr};
    stored.tensor = view(stored.entry, data);
    const bool usable = !stored.tensor.empty();
    if (usable && reinterpret_cast<uintptr_t>(data) % element_size(stored.tensor.dtype) != 0) {
      stored.copy = std::make_unique<std::byte[]>(size);
      std::memcpy(stored.copy.get(), data, size);
      stored.tensor.data = stored.copy.get();
    }
    const auto [held, added] = tensors_.emplace(name, std::move(stored));
    if (!added) fail(path, "tensor " + name + " is in " + files_[held->second.file].path() + " too");
    bytes_ += size;
  }
  files_.push_back(std::move(file));
}

void SafetensorsFolder::open_shards(const std::string& index_path) {
  const Json index = read_json_file(index_path);
  const Json& weight_map = index.required_object("weight_map");
  std::set<std::string> shards;
  for (const auto& [name, shard] : weight_map.members()) {
    if (!shard.is_string() || !is_plain_name(shard.string()))
      weight_map.refuse(name, "the name of a file in the same folder");
    shards.insert(shard.string());
  }
  if (shards.empty()) fail(index_path, "weight_map is empty");
  for (const std::string& shard : shards) open(utf8_string(utf8_path(folder_) / utf8_path(shard)));

  for (const auto& [name, shard] : weight_map.members()) {
    const auto found = tensors_.find(name);
    const std::string expected = utf8_string(utf8_path(folder_) / utf8_path(shard.string()));
    if (found == tensors_.end()) fail(index_path, "tensor " + name + " is missing in " + expected);
    const std::string& got = files_[found->second.file].path();
    if (got != expected) fail(index_path, "tensor " + name + " is in " + got + ", the index says " + expected);
  }
}

const Tensor* SafetensorsFolder::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return nullptr;
  const Stored& stored = found->second;
  if (!stored.tensor.empty()) return &stored.tensor;
  throw Error(ErrorCode::kModelUnsupported, "tensor " + std::string(name) + " in " + files_[stored.file].path() +
                                                " is " + stored.entry.dtype + " " + shown_shape(stored.entry.shape) +
                                                ", expected F32, F16 or BF16 and at most " +
                                                std::to_string(Tensor::kMaxRank) + " dimensions");
}

Tensor SafetensorsFolder::require(std::string_view name, std::initializer_list<int64_t> shape) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr)
    throw Error(ErrorCode::kModelFormat, "tensor " + std::string(name) + " " +
                                             shown_shape({shape.begin(), shape.size()}) + " is missing in " + folder_);
  require_shape(name, {tensor->shape.data(), static_cast<size_t>(tensor->rank)}, shape,
                files_[tensors_.find(name)->second.file].path());
  return *tensor;
}

HeldTensor SafetensorsFolder::look(std::string_view name, std::initializer_list<int64_t> shape, DType) const {
  const Tensor tensor = require(name, shape);
  return {tensor, nullptr, 0, static_cast<uint64_t>(tensor.elements()) * element_size(tensor.dtype)};
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> out;
  out.reserve(tensors_.size());
  for (const auto& [name, stored] : tensors_) out.push_back(name);
  return out;
}

std::span<const std::byte> SafetensorsFolder::stored_bytes(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return {};
  const auto& [entry, file, tensor, copy] = found->second;
  return files_[file].bytes().subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin));
}

const SafetensorsEntry* SafetensorsFolder::entry(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second.entry;
}

}  // namespace fovea
