#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "test/check.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// A folder that disappears with the test.
struct Folder {
  fs::path path;
  explicit Folder(const char* name) : path(fs::temp_directory_path() / (std::string("fovea_test_") + name)) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  std::string string() const { return path.string(); }
};

std::string with_size(uint64_t size, const std::string& rest) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(size >> (8 * i));
  return out + rest;
}

// A file with a header and so many bytes of data, counting up from 0.
std::string file_of(const std::string& header, size_t n_data) {
  std::string out = with_size(header.size(), header);
  for (size_t i = 0; i < n_data; ++i) out.push_back(static_cast<char>(i));
  return out;
}

std::string entry_of(const std::string& name, const std::string& dtype, const std::string& shape, size_t begin,
                     size_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::vector<SafetensorsEntry> parse(const std::string& file) {
  return parse_safetensors_header(std::as_bytes(std::span(file)), file.size(), "test.safetensors");
}

std::string message_of(const std::string& file) {
  try {
    parse(file);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kModelFormat);
    return error.what();
  }
  return "no error";
}

void check_message(const std::string& header, size_t n_data, std::string_view part) {
  const std::string message = message_of(file_of(header, n_data));
  if (message.find(part) == std::string::npos)
    test::fail(__FILE__, __LINE__, header + ": got \"" + message + "\", expected \"" + std::string(part) + "\"");
}

}  // namespace

TEST("safetensors header: entries in the order of their data") {
  const auto entries =
      parse(file_of("{\"__metadata__\":{\"format\":\"pt\"}," + entry_of("a", "F16", "[2,3]", 4, 16) + "," +
                        entry_of("b", "F32", "[]", 0, 4) + "," + entry_of("c", "I64", "[0]", 4, 4) + "," +
                        entry_of("d", "F4", "[4]", 16, 18) + "}  ",
                    18));
  REQUIRE(entries.size() == 4);
  CHECK_EQ(entries[0].name, std::string("b"));
  CHECK_EQ(entries[1].name, std::string("c"));
  CHECK_EQ(entries[2].name, std::string("a"));
  CHECK_EQ(entries[2].dtype, std::string("F16"));
  CHECK(entries[2].shape == std::vector<int64_t>({2, 3}));
  CHECK_EQ(entries[2].end - entries[2].begin, uint64_t{12});
  CHECK(parse(file_of("{}", 0)).empty());
}

TEST("safetensors header: truncated and oversized") {
  const std::string good = file_of("{" + entry_of("a", "F32", "[2]", 0, 8) + "}", 8);
  CHECK_EQ(parse(good).size(), size_t{1});
  for (size_t size = 0; size < good.size(); ++size) CHECK_THROWS(ErrorCode::kModelFormat, parse(good.substr(0, size)));
  CHECK_THROWS(ErrorCode::kModelFormat, parse(good + "x"));
  for (uint64_t size :
       {uint64_t{0}, uint64_t{3}, uint64_t{100}, kMaxSafetensorsHeader + 1, ~uint64_t{0}, uint64_t{1} << 63})
    CHECK_THROWS(ErrorCode::kModelFormat, parse(with_size(size, "{}")));
}

TEST("safetensors header: lies about dtype, shape and offsets") {
  check_message("[]", 0, "does not start with '{'");
  check_message("{" + entry_of("a", "F33", "[2]", 0, 8) + "}", 8, "unknown dtype \"F33\"");
  check_message("{" + entry_of("a", "F32", "[3]", 0, 8) + "}", 8, "has 8 bytes, its shape and dtype need 12");
  check_message("{" + entry_of("a", "F32", "[2]", 0, 16) + "}", 8, "truncated");
  check_message("{" + entry_of("a", "F32", "[2]", 8, 0) + "}", 8, "lies at [8, 0)");
  check_message("{" + entry_of("a", "F32", "[-2]", 0, 8) + "}", 8, "is -2, expected an integer >= 0");
  check_message("{" + entry_of("a", "F32", "[1.5]", 0, 8) + "}", 8, "is 1.5, expected an integer >= 0");
  check_message("{" + entry_of("a", "F32", "[4294967296,4294967296]", 0, 8) + "}", 8, "overflows");
  check_message("{" + entry_of("a", "F32", "[0,4294967296,4294967296]", 0, 0) + "}", 0, "overflows");
  check_message("{" + entry_of("a", "F4", "[3]", 0, 1) + "}", 1, "whole bytes");
  check_message("{" + entry_of("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) + "}", 1, "9 dimensions");
  check_message("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "members other than");
  check_message("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offset\":[0,1]}}", 1, "a.data_offsets is missing");
  check_message("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "has not two members");
  check_message("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a.dtype is 8, expected a string");
  check_message("{\"a\":[]}", 0, "a is an array of 0, expected an object");
  check_message("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__.a is 1, expected a string");
  check_message("{\"__metadata__\":[]}", 0, "__metadata__ is an array");
  const std::string a = entry_of("a", "U8", "[1]", 0, 1);
  check_message("{" + a + "," + a + "}", 1, "duplicate member \"a\"");
  check_message("{" + entry_of(std::string(2000, 'n'), "U8", "[1]", 0, 1) + "}", 1, "2000 bytes");
}

TEST("safetensors header: overlaps and holes") {
  check_message("{" + entry_of("a", "U8", "[4]", 0, 4) + "," + entry_of("b", "U8", "[4]", 2, 6) + "}", 6, "b overlaps");
  check_message("{" + entry_of("a", "U8", "[4]", 0, 4) + "," + entry_of("b", "U8", "[4]", 0, 4) + "}", 4, "b overlaps");
  check_message("{" + entry_of("a", "U8", "[4]", 0, 4) + "," + entry_of("b", "U8", "[4]", 5, 9) + "}", 9, "hole");
  check_message("{" + entry_of("a", "U8", "[4]", 1, 5) + "}", 5, "hole");
  check_message("{" + entry_of("a", "U8", "[0]", 2, 2) + "," + entry_of("b", "U8", "[4]", 0, 4) + "}", 4, "overlaps");
  check_message("{" + entry_of("a", "U8", "[4]", 0, 4) + "}", 5, "belong to none");
}

TEST("safetensors folder: one file, aligned or not") {
  for (const char* padding : {"", " ", "  ", "   "}) {
    const Folder folder("single");
    folder.write("model.safetensors",
                 file_of("{" + entry_of("w", "F32", "[2,1]", 0, 8) + "," + entry_of("h", "BF16", "[3]", 8, 14) + "," +
                             entry_of("s", "F32", "[]", 14, 18) + "," + entry_of("ids", "I64", "[1]", 18, 26) + "," +
                             entry_of("deep", "F16", "[1,1,1,1,1,1]", 26, 28) + "}" + padding,
                         28));
    const SafetensorsFolder weights(folder.string());
    CHECK_EQ(weights.bytes(), uint64_t{28});
    CHECK(weights.names() == std::vector<std::string>({"deep", "h", "ids", "s", "w"}));
    const Tensor w = weights.require("w", {2, 1});
    CHECK_EQ(reinterpret_cast<uintptr_t>(w.data) % 4, uintptr_t{0});
    CHECK_EQ(w.row_stride, 1);
    const uint32_t words[] = {0x03020100, 0x07060504};
    CHECK(std::memcmp(w.data, words, 8) == 0);
    const Tensor h = weights.require("h", {3});
    CHECK(h.dtype == DType::kBF16);
    CHECK_EQ(reinterpret_cast<uintptr_t>(h.data) % 2, uintptr_t{0});
    CHECK_EQ(h.as<uint16_t>()[2], uint16_t{0x0d0c});
    const Tensor s = weights.require("s", {1});
    CHECK_EQ(s.elements(), 1);
    CHECK_EQ(s.as<uint32_t>()[0], uint32_t{0x11100f0e});
    CHECK(weights.find("none") == nullptr);
    CHECK(weights.has("ids") && !weights.has("none"));
    CHECK_EQ(weights.entry("ids")->dtype, std::string("I64"));
    CHECK_THROWS(ErrorCode::kModelUnsupported, weights.find("ids"));
    CHECK_THROWS(ErrorCode::kModelUnsupported, weights.find("deep"));
    CHECK_THROWS(ErrorCode::kModelFormat, weights.require("none", {1}));
    CHECK_THROWS(ErrorCode::kModelFormat, weights.require("w", {1, 2}));
    CHECK_THROWS(ErrorCode::kModelFormat, weights.require("w", {2}));
  }
}

TEST("safetensors folder: errors name the tensor, both shapes and the file") {
  const Folder folder("message");
  folder.write("model.safetensors", file_of("{" + entry_of("w", "F32", "[2,1]", 0, 8) + "}", 8));
  const SafetensorsFolder weights(folder.string());
  try {
    weights.require("w", {3, 4});
    CHECK(false);
  } catch (const Error& error) {
    CHECK_EQ(std::string(error.what()),
             "tensor w in " + (folder.path / "model.safetensors").string() + " has shape (2, 1), expected (3, 4)");
  }
}

TEST("safetensors folder: shards") {
  const auto index = [](const std::string& map) {
    return "{\"metadata\":{\"total_size\":8},\"weight_map\":{" + map + "}}";
  };
  const std::string one = file_of("{" + entry_of("a", "F32", "[1]", 0, 4) + "}", 4);
  const std::string two = file_of("{" + entry_of("b", "F32", "[1]", 0, 4) + "}", 4);
  const Folder folder("shards");
  folder.write("one.safetensors", one);
  folder.write("two.safetensors", two);
  const auto open_with = [&](const std::string& map) {
    folder.write("model.safetensors.index.json", index(map));
    return SafetensorsFolder(folder.string()).names().size();
  };
  CHECK_EQ(open_with(R"("a":"one.safetensors","b":"two.safetensors")"), size_t{2});
  CHECK_THROWS(ErrorCode::kModelNotFound, open_with(R"("a":"one.safetensors","b":"three.safetensors")"));
  CHECK_THROWS(ErrorCode::kModelFormat, open_with(R"("a":"one.safetensors")"
                                                  R"(,"c":"two.safetensors")"));
  CHECK_THROWS(ErrorCode::kModelFormat, open_with(R"("a":"two.safetensors","b":"one.safetensors")"));
  CHECK_THROWS(ErrorCode::kModelFormat,
               open_with(R"("a":"one.safetensors","b":"two.safetensors","c":"two.safetensors")"));
  CHECK_THROWS(ErrorCode::kModelFormat, open_with(R"("a":"one.safetensors","b":3)"));
  CHECK_THROWS(ErrorCode::kModelFormat, open_with(""));
  for (const char* name : {"../one.safetensors", "/one.safetensors", "..", ".", "", "x/one.safetensors",
                           "..\\\\one.safetensors", "c:one.safetensors", "one.safetensors\\u0000"})
    CHECK_THROWS(ErrorCode::kModelFormat, open_with("\"a\":\"" + std::string(name) + "\""));
  folder.write("two.safetensors", one);
  CHECK_THROWS(ErrorCode::kModelFormat, open_with(R"("a":"one.safetensors","b":"two.safetensors")"));
}

TEST("safetensors folder: missing files") {
  const Folder folder("missing");
  CHECK_THROWS(ErrorCode::kModelNotFound, SafetensorsFolder(folder.string()));
  CHECK_THROWS(ErrorCode::kModelNotFound, SafetensorsFolder((folder.path / "none").string()));
  folder.write("model.safetensors", "");
  CHECK_THROWS(ErrorCode::kModelFormat, SafetensorsFolder(folder.string()));
}

TEST("safetensors folder: the embedded model") {
  const SafetensorsFolder weights(std::string(FOVEA_SOURCE_DIR) + "/model/fovea-mini");
  CHECK(weights.names().size() > 10);
  for (const std::string& name : weights.names()) CHECK(weights.find(name)->elements() > 0);
}

TEST("a safetensors file is written tensor by tensor, and is there when it is whole") {
  const Folder folder("writer");
  const std::string path = folder.string() + "/one.safetensors";
  const auto files = [&] { return std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()); };
  const std::string first(192, 'a'), second(64, 'b');
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  for (const bool finishes : {false, true}) {
    SafetensorsWriter writer(path);
    writer.add("x.weight", bytes(first));
    writer.add("x.weight+y.weight#1", bytes(second));
    CHECK_THROWS(ErrorCode::kInternal, writer.add("a \"name\"", bytes(first)));
    CHECK_EQ(files(), 1);
    CHECK(!fs::exists(path));
    if (finishes) writer.finish();
  }
  CHECK_EQ(files(), 1);
  const SafetensorsFolder read = SafetensorsFolder::of_file(path);
  const auto holds = [&](const char* name, const std::string& text) {
    const std::span<const std::byte> stored = read.stored_bytes(name);
    return std::ranges::equal(stored, bytes(text)) && reinterpret_cast<uintptr_t>(stored.data()) % 64 == 0;
  };
  CHECK(holds("x.weight", first) && holds("x.weight+y.weight#1", second));
  CHECK(read.stored_bytes("z").empty());
  CHECK_THROWS(ErrorCode::kInvalidArgument, SafetensorsWriter(folder.string() + "/none/one.safetensors"));
}

}  // namespace fovea
