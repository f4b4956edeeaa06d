// The header of a GGUF file: a pure function from bytes to checked metadata and entries.
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "io/gguf.h"

namespace fovea {
namespace {

constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;

enum ValueType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

// Reads forward through the bytes; never beyond them.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ErrorCode::kModelFormat, source_ + ": " + problem);
  }
  [[noreturn]] void unsupported(const std::string& problem) const {
    throw Error(ErrorCode::kModelUnsupported, source_ + ": " + problem);
  }

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  std::span<const std::byte> take(uint64_t size, const char* what) {
    if (size > left())
      fail(std::string("truncated: ") + what + " at byte " + std::to_string(at_) + " needs " + std::to_string(size) +
           " bytes, " + std::to_string(left()) + " are left");
    const auto part = bytes_.subspan(at_, static_cast<size_t>(size));
    at_ += static_cast<size_t>(size);
    return part;
  }

  // A little-endian number of sizeof(T) bytes.
  template <typename T>
  T number(const char* what) {
    const auto part = take(sizeof(T), what);
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) bits |= std::to_integer<uint64_t>(part[i]) << (8 * i);
    if constexpr (sizeof(T) == 8) {
      return std::bit_cast<T>(bits);
    } else if constexpr (sizeof(T) == 4) {
      return std::bit_cast<T>(static_cast<uint32_t>(bits));
    } else {
      return static_cast<T>(bits);
    }
  }

  std::string string(uint64_t most, const char* what) {
    const auto size = number<uint64_t>(what);
    if (size > most)
      fail(std::string(what) + " claims " + std::to_string(size) + " bytes, expected at most " + std::to_string(most));
    const auto part = take(size, what);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  // Every value of the metadata counts, so that they cannot take much more memory than a JSON document may.
  void count_values(uint64_t n) {
    if (n > kMaxJsonValues - values_)
      fail("the metadata holds more than " + std::to_string(kMaxJsonValues) + " values");
    values_ += n;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& source_;
  size_t at_ = 0;
  uint64_t values_ = 0;
};

Json integer(int64_t value) { return Json(Json::Number{static_cast<double>(value), value}); }

Json unsigned_integer(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) return integer(static_cast<int64_t>(value));
  return Json(Json::Number{static_cast<double>(value), std::nullopt});
}

Json real(double value) { return Json(Json::Number{value, std::nullopt}); }

Json scalar(Reader& reader, uint32_t type, const std::string& key) {
  constexpr const char* kWhat = "a value";
  switch (type) {
    case kU8:
      return integer(reader.number<uint8_t>(kWhat));
    case kI8:
      return integer(reader.number<int8_t>(kWhat));
    case kU16:
      return integer(reader.number<uint16_t>(kWhat));
    case kI16:
      return integer(reader.number<int16_t>(kWhat));
    case kU32:
      return integer(reader.number<uint32_t>(kWhat));
    case kI32:
      return integer(reader.number<int32_t>(kWhat));
    case kU64:
      return unsigned_integer(reader.number<uint64_t>(kWhat));
    case kI64:
      return integer(reader.number<int64_t>(kWhat));
    case kF32:
      return real(static_cast<double>(reader.number<float>(kWhat)));
    case kF64:
      return real(reader.number<double>(kWhat));
    case kBool:
      return Json(reader.number<uint8_t>(kWhat) != 0);
    case kString:
      return Json(reader.string(kMaxGgufStringBytes, "a string"));
    default:
      reader.fail(key + " has the unknown type " + std::to_string(type));
  }
}

Json value_of(Reader& reader, const std::string& key) {
  const auto type = reader.number<uint32_t>("the type of a value");
  reader.count_values(1);
  if (type != kArray) return scalar(reader, type, key);
  const auto item_type = reader.number<uint32_t>("the type of an array");
  const auto count = reader.number<uint64_t>("the length of an array");
  if (item_type == kArray) reader.fail(key + " is an array of arrays, which no file of llama.cpp has");
  reader.count_values(count);
  // An item takes at least a byte, so that an absurd count is known before memory is reserved.
  if (count > reader.left())
    reader.fail("truncated: " + key + " claims " + std::to_string(count) + " items, " + std::to_string(reader.left()) +
                " bytes are left");
  Json::Array items;
  items.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) items.push_back(scalar(reader, item_type, key));
  return Json(std::move(items));
}

struct Counts {
  uint64_t tensors, keys;
};

Counts read_start(Reader& reader) {
  const auto magic = reader.take(4, "the magic");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) reader.fail("does not start with \"GGUF\"; is this a GGUF file?");
  const auto version = reader.number<uint32_t>("the version");
  if (version != 0 && (version & 0xffffu) == 0)
    reader.unsupported("is big-endian; convert it with gguf-py's gguf_convert_endian.py");
  if (version != 2 && version != 3)
    reader.unsupported("has version " + std::to_string(version) + " of the format; Fovea reads 2 and 3");
  const auto tensors = reader.number<uint64_t>("the number of tensors");
  const auto keys = reader.number<uint64_t>("the number of keys");
  if (tensors > kMaxGgufTensors || keys > kMaxGgufKeys)
    reader.fail("claims " + std::to_string(tensors) + " tensors and " + std::to_string(keys) +
                " keys, expected at most " + std::to_string(kMaxGgufTensors) + " of each");
  return {tensors, keys};
}

Json read_metadata(Reader& reader, uint64_t keys, const std::string& source) {
  auto object = std::make_shared<Json::Object>();
  object->where = source;
  object->is_root = true;
  object->code = ErrorCode::kModelFormat;
  for (uint64_t i = 0; i < keys; ++i) {
    std::string key = reader.string(kMaxGgufKeyBytes, "a key");
    Json value = value_of(reader, key);
    if (!object->members.emplace(key, std::move(value)).second) reader.fail("the key " + key + " occurs twice");
  }
  return Json(std::shared_ptr<const Json::Object>(std::move(object)));
}

uint64_t read_alignment(const Json& metadata) {
  const int64_t alignment = metadata.int_or("general.alignment", kDefaultAlignment);
  if (alignment < 1 || alignment > static_cast<int64_t>(kMaxAlignment) ||
      !std::has_single_bit(static_cast<uint64_t>(alignment)))
    metadata.refuse("general.alignment", "a power of two up to " + std::to_string(kMaxAlignment));
  return static_cast<uint64_t>(alignment);
}

// An entry whose begin and end are still counted from the start of the data.
std::pair<std::string, GgufEntry> read_entry(Reader& reader, uint64_t alignment) {
  std::string name = reader.string(kMaxGgufKeyBytes, "the name of a tensor");
  const auto rank = reader.number<uint32_t>("the number of dimensions");
  if (rank < 1 || rank > kMaxGgufRank)
    reader.fail("tensor " + name + " has " + std::to_string(rank) + " dimensions, expected 1 to " +
                std::to_string(kMaxGgufRank));
  GgufEntry entry{};
  uint64_t numbers = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    const auto dim = reader.number<uint64_t>("a dimension");
    if (dim == 0 || dim > static_cast<uint64_t>(INT64_MAX) / 8 / numbers)
      reader.fail("the shape of tensor " + name + " is empty or overflows");
    numbers *= dim;
    entry.shape.insert(entry.shape.begin(), static_cast<int64_t>(dim));
  }
  const auto type = reader.number<uint32_t>("the type of a tensor");
  const GgufTypeFacts* facts = gguf_type_facts(type);
  if (facts == nullptr)
    reader.unsupported("tensor " + name + " has numbers of type " + std::to_string(type) +
                       ", which Fovea does not know");
  entry.type = facts->type;
  if (entry.shape.back() % facts->block != 0)
    reader.fail("tensor " + name + " has rows of " + std::to_string(entry.shape.back()) + " numbers, " + facts->name +
                " needs multiples of " + std::to_string(facts->block));
  entry.begin = reader.number<uint64_t>("the offset of a tensor");
  if (entry.begin % alignment != 0 || entry.begin > static_cast<uint64_t>(INT64_MAX))
    reader.fail("tensor " + name + " lies at offset " + std::to_string(entry.begin) + ", expected a multiple of " +
                std::to_string(alignment));
  // No type takes more than the eight bytes a number that the bound on the shape allows for.
  entry.end = entry.begin + numbers / static_cast<uint64_t>(facts->block) * static_cast<uint64_t>(facts->block_bytes);
  return {std::move(name), std::move(entry)};
}

void check_overlaps(const Reader& reader, const std::map<std::string, GgufEntry, std::less<>>& tensors) {
  std::vector<std::pair<const GgufEntry*, const std::string*>> order;
  for (const auto& [name, entry] : tensors) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first->begin < b.first->begin; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i].first->begin < order[i - 1].first->end)
      reader.fail("tensor " + *order[i].second + " overlaps " + *order[i - 1].second);
}

}  // namespace

GgufHeader parse_gguf_header(std::span<const std::byte> bytes, uint64_t file_size, const std::string& source) {
  Reader reader(bytes, source);
  const Counts counts = read_start(reader);
  GgufHeader header;
  header.metadata = read_metadata(reader, counts.keys, source);
  const uint64_t alignment = read_alignment(header.metadata);
  for (uint64_t i = 0; i < counts.tensors; ++i) {
    auto [name, entry] = read_entry(reader, alignment);
    if (!header.tensors.emplace(name, std::move(entry)).second) reader.fail("tensor " + name + " occurs twice");
  }
  const uint64_t data_begin = (static_cast<uint64_t>(reader.at()) + alignment - 1) / alignment * alignment;
  for (auto& [name, entry] : header.tensors) {
    if (data_begin > file_size || entry.end > file_size - data_begin)
      reader.fail("truncated: tensor " + name + " ends at byte " + std::to_string(data_begin + entry.end) + " of " +
                  std::to_string(file_size));
    entry.begin += data_begin;
    entry.end += data_begin;
  }
  check_overlaps(reader, header.tensors);
  return header;
}

}  // namespace fovea
