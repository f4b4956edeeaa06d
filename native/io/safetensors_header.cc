// The header of one safetensors file: a pure function from bytes to checked entries.
#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace fovea {
namespace {

constexpr size_t kPrefix = 8;  // bytes of the header size
constexpr size_t kMaxName = 1024;

struct StoredType {
  std::string_view name;
  uint64_t bits;
};
constexpr std::array<StoredType, 22> kStoredTypes = {{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},        {"F16", 16},
    {"BF16", 16},   {"I32", 32},    {"U32", 32},    {"F32", 32},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::kModelFormat, source + ": " + problem);
}

std::string_view header_text(std::span<const std::byte> bytes, uint64_t file_size, const std::string& source) {
  if (file_size < kPrefix || bytes.size() < kPrefix)
    fail(source, "truncated: " + std::to_string(file_size) + " bytes, expected at least " + std::to_string(kPrefix));
  uint64_t size = 0;
  for (size_t i = 0; i < kPrefix; ++i) size |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  if (size > kMaxSafetensorsHeader)
    fail(source, "the header claims " + std::to_string(size) + " bytes, expected at most " +
                     std::to_string(kMaxSafetensorsHeader) + "; is this a safetensors file?");
  if (size > file_size - kPrefix || size > bytes.size() - kPrefix)
    fail(source, "truncated: the header claims " + std::to_string(size) + " bytes, the file has " +
                     std::to_string(file_size - kPrefix) + " after its size");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kPrefix, static_cast<size_t>(size));
  if (text.empty() || text.front() != '{')
    fail(source, "the header does not start with '{'; is this a safetensors file?");
  return text;
}

void check_metadata(const Json& metadata, const std::string& source) {
  if (!metadata.is_object()) fail(source, "__metadata__ is " + metadata.shown() + ", expected an object of strings");
  for (const auto& [key, value] : metadata.members())
    if (!value.is_string()) fail(source, "__metadata__." + key + " is " + value.shown() + ", expected a string");
}

// A non-negative integer literal of the header.
uint64_t count(const Json& value, const std::string& what, const std::string& source) {
  const std::optional<int64_t> number = value.integer();
  if (!number || *number < 0) fail(source, what + " is " + value.shown() + ", expected an integer >= 0");
  return static_cast<uint64_t>(*number);
}

// Bytes that dtype and shape ask for.
uint64_t expected_bytes(const SafetensorsEntry& entry, const std::string& source) {
  const auto type = std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                                 [&](const StoredType& known) { return known.name == entry.dtype; });
  if (type == kStoredTypes.end()) fail(source, entry.name + " has the unknown dtype \"" + entry.dtype + "\"");
  // Zeros apart, so that no product of some of the dimensions overflows either.
  uint64_t bits = type->bits;
  bool is_empty = false;
  for (int64_t dim : entry.shape) {
    const uint64_t factor = static_cast<uint64_t>(std::max<int64_t>(dim, 1));
    if (bits > static_cast<uint64_t>(INT64_MAX) / factor) fail(source, "the shape of " + entry.name + " overflows");
    bits *= factor;
    is_empty = is_empty || dim == 0;
  }
  if (is_empty) return 0;
  if (bits % 8 != 0) fail(source, entry.name + " does not fill whole bytes");
  return bits / 8;
}

SafetensorsEntry parse_entry(const std::string& name, const Json& value, uint64_t data_begin, uint64_t data_size,
                             const std::string& source) {
  if (name.size() > kMaxName)
    fail(source,
         "a tensor name has " + std::to_string(name.size()) + " bytes, expected at most " + std::to_string(kMaxName));
  if (!value.is_object()) fail(source, name + " is " + value.shown() + ", expected an object");
  if (value.members().size() != 3) fail(source, name + " has members other than dtype, shape and data_offsets");
  SafetensorsEntry entry{name, value.required_string("dtype"), {}, 0, 0};
  const Json::Array& shape = value.required_array("shape").array();
  if (shape.size() > kMaxSafetensorsRank)
    fail(source, name + " has " + std::to_string(shape.size()) + " dimensions, expected at most " +
                     std::to_string(kMaxSafetensorsRank));
  for (const Json& dim : shape)
    entry.shape.push_back(static_cast<int64_t>(count(dim, "a dimension of " + name, source)));

  const Json::Array& offsets = value.required_array("data_offsets").array();
  if (offsets.size() != 2) fail(source, "data_offsets of " + name + " has not two members");
  const uint64_t begin = count(offsets[0], "data_offsets of " + name, source);
  const uint64_t end = count(offsets[1], "data_offsets of " + name, source);
  if (begin > end || end > data_size)
    fail(source, name + " lies at [" + std::to_string(begin) + ", " + std::to_string(end) + ") of " +
                     std::to_string(data_size) + " bytes of data; the file may be truncated");
  const uint64_t expected = expected_bytes(entry, source);
  if (end - begin != expected)
    fail(source,
         name + " has " + std::to_string(end - begin) + " bytes, its shape and dtype need " + std::to_string(expected));
  entry.begin = data_begin + begin;
  entry.end = data_begin + end;
  return entry;
}

// The format asks for data without holes or overlaps up to the end of the file.
void check_coverage(const std::vector<SafetensorsEntry>& entries, uint64_t data_begin, uint64_t file_size,
                    const std::string& source) {
  uint64_t covered = data_begin;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != covered)
      fail(source,
           entry.name + (entry.begin < covered ? " overlaps the tensor before it" : " leaves a hole before it"));
    covered = entry.end;
  }
  if (covered != file_size)
    fail(source, std::to_string(file_size - covered) + " bytes after the last tensor belong to none");
}

}  // namespace

std::vector<SafetensorsEntry> parse_safetensors_header(std::span<const std::byte> bytes, uint64_t file_size,
                                                       const std::string& source) {
  const std::string_view text = header_text(bytes, file_size, source);
  const uint64_t data_begin = kPrefix + text.size();
  const Json header = parse_json(text, source);

  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, value] : header.members()) {
    if (name == "__metadata__") {
      check_metadata(value, source);
    } else {
      entries.push_back(parse_entry(name, value, data_begin, file_size - data_begin, source));
    }
  }
  // Empty tensors come before the one that starts where they are.
  std::stable_sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  check_coverage(entries, data_begin, file_size, source);
  return entries;
}

}  // namespace fovea
