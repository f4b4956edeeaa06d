#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "io/json.h"
#include "io/mmap.h"
#include "test/check.h"

namespace fovea {
namespace {

Json parse(std::string_view text) { return parse_json(text, "test.json"); }

std::string message_of(std::string_view text, ErrorCode code = ErrorCode::kModelFormat) {
  try {
    parse_json(text, "test.json", code);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  return "no error";
}

template <typename F>
std::string message_of_call(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST("json: every kind of value") {
  const Json json = parse(R"( {"n": null, "t": true, "f": false, "i": -12, "d": 1.5e2, "s": "x", "a": [1, [], {}]} )");
  REQUIRE(json.is_object());
  CHECK_EQ(json.members().size(), size_t{7});
  CHECK(json.members().at("n").is_null());
  CHECK(json.members().at("t").boolean());
  CHECK(!json.members().at("f").boolean());
  CHECK_EQ(*json.members().at("i").integer(), -12);
  CHECK_EQ(json.members().at("d").number(), 150.0);
  CHECK_EQ(json.members().at("s").string(), std::string("x"));
  const Json::Array& array = json.members().at("a").array();
  REQUIRE(array.size() == 3);
  CHECK(array[1].is_array() && array[1].array().empty());
  CHECK(array[2].is_object() && array[2].members().empty());
}

TEST("json: integers are exact to 64 bits") {
  CHECK_EQ(*parse("9223372036854775807").integer(), INT64_MAX);
  CHECK_EQ(*parse("-9223372036854775808").integer(), INT64_MIN);
  CHECK(!parse("9223372036854775808").integer());
  CHECK_EQ(parse("9223372036854775808").number(), 9223372036854775808.0);
  CHECK_EQ(*parse("9007199254740993").integer(), int64_t{9007199254740993});
  CHECK_EQ(*parse("3.0").integer(), 3);
  CHECK_EQ(*parse("3e2").integer(), 300);
  CHECK(!parse("3.5").integer());
  CHECK(!parse("1e300").integer());
  CHECK(!parse("\"3\"").integer());
  CHECK_EQ(parse("1e-5").number(), 1e-5);
  CHECK(std::signbit(parse("-0.0").number()));
}

TEST("json: escapes, surrogate pairs and UTF-8") {
  CHECK_EQ(parse(R"("\"\\\/\b\f\n\r\t")").string(), std::string("\"\\/\b\f\n\r\t"));
  CHECK_EQ(parse(R"("\u0041\u00e9\u20AC\ud83d\uDE00")").string(), std::string("A\u00e9\u20ac\U0001f600"));
  CHECK_EQ(parse("\"\u00e9\u20ac\U0001f600\"").string(), std::string("\u00e9\u20ac\U0001f600"));
  CHECK_EQ(parse(R"("a\u0000b")").string(), std::string("a\0b", 3));
  for (const char* text : {R"("\ud83d")", R"("\ud83dx")", R"("\ud83d\u0041")", R"("\ude00")", R"("\u12g4")", R"("\x")",
                           "\"\\", "\"\\u00", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                           "\"\xe2\x82\"", "\"\xc3", "\"a\nb\"", "\"abc"})
    CHECK_THROWS(ErrorCode::kModelFormat, parse(text));
}

TEST("json: refuses what is not JSON") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[",
                           "[1,]",
                           "[1 2]",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "{\"a\":}",
                           "tru",
                           "True",
                           "nul",
                           "NaN",
                           "Infinity",
                           "-",
                           "01",
                           "-01",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "+1",
                           "0x10",
                           "1 2",
                           "{} x",
                           "'a'",
                           "// c\n1",
                           "\xef\xbb\xbf{}",
                           "1e999",
                           "]"})
    CHECK_THROWS(ErrorCode::kModelFormat, parse(text));
  CHECK_THROWS(ErrorCode::kModelFormat, parse(std::string_view("{}\0", 3)));
}

TEST("json: duplicate members are refused, with their offset") {
  CHECK_EQ(message_of(R"({"a": 1, "b": 2, "a": 3})"),
           std::string("test.json: invalid JSON at byte 17: duplicate member \"a\""));
  CHECK(contains(message_of(R"({"a": {"\u0062": 1, "b": 2}})"), "duplicate"));
}

TEST("json: errors carry the offset and the caller's code") {
  CHECK_EQ(message_of("[1, 2, x]", ErrorCode::kPlan),
           std::string("test.json: invalid JSON at byte 7: expected a value"));
  CHECK_THROWS(ErrorCode::kPlan, parse_json("{}", "plan", ErrorCode::kPlan).required_int("a"));
}

TEST("json: depth and number of values are bounded") {
  const auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
  };
  CHECK(parse(nested(kMaxJsonDepth)).is_array());
  CHECK_THROWS(ErrorCode::kModelFormat, parse(nested(kMaxJsonDepth + 1)));
  CHECK_THROWS(ErrorCode::kModelFormat, parse(std::string(1000000, '[')));
  std::string many = "[0";
  for (size_t i = 0; i < kMaxJsonValues; ++i) many += ",0";
  CHECK_THROWS(ErrorCode::kModelFormat, parse(many + "]"));
}

TEST("json: typed members") {
  const Json json = parse(R"({"i": 7, "d": 0.5, "b": true, "s": "x", "n": null, "o": {"i": 1}, "a": [1]})");
  CHECK_EQ(json.required_int("i"), 7);
  CHECK_EQ(json.int_or("i", 3), 7);
  CHECK_EQ(json.int_or("none", 3), 3);
  CHECK_EQ(json.int_or("n", 3), 3);
  CHECK_EQ(json.number_or("d", 1.0), 0.5);
  CHECK_EQ(json.number_or("i", 1.0), 7.0);
  CHECK_EQ(json.number_or("none", 1.0), 1.0);
  CHECK(json.bool_or("b", false));
  CHECK(json.bool_or("none", true));
  CHECK_EQ(json.string_or("s", "y"), std::string("x"));
  CHECK_EQ(json.string_or("none", "y"), std::string("y"));
  CHECK_EQ(json.required_string("s"), std::string("x"));
  CHECK_EQ(json.required_object("o").required_int("i"), 1);
  CHECK_EQ(json.required_array("a").array().size(), size_t{1});
  CHECK(json.has("i") && !json.has("n") && !json.has("none"));
  CHECK(json.get("none") == nullptr);
  for (const char* key : {"d", "b", "s", "o", "a", "n", "none"})
    CHECK_THROWS(ErrorCode::kModelFormat, json.required_int(key));
  CHECK_THROWS(ErrorCode::kModelFormat, json.number_or("s", 1));
  CHECK_THROWS(ErrorCode::kModelFormat, json.bool_or("i", true));
  CHECK_THROWS(ErrorCode::kModelFormat, json.string_or("i", ""));
  CHECK_THROWS(ErrorCode::kModelFormat, json.required_object("a"));
  CHECK_THROWS(ErrorCode::kModelFormat, json.required_array("o"));
  CHECK_THROWS(ErrorCode::kModelFormat, parse("[1]").get("a"));
  CHECK_THROWS(ErrorCode::kInternal, json.number());
}

TEST("json: errors of members name the path, what was got and what was expected") {
  const Json json = parse(R"({"i": "big", "text": {"layers": [{"n": 1.5}]}})");
  CHECK_EQ(message_of_call([&] { json.required_int("i"); }),
           std::string("test.json: i is \"big\", expected an integer"));
  CHECK_EQ(message_of_call([&] { json.required_object("text").required_int("x"); }),
           std::string("test.json: text.x is missing, expected an integer"));
  CHECK_EQ(message_of_call([&] { json.get("text")->get("layers")->array()[0].required_int("n"); }),
           std::string("test.json: text.layers[0].n is 1.5, expected an integer"));
}

TEST("json: files") {
  const auto path = std::filesystem::temp_directory_path() / "fovea_test_json.json";
  std::ofstream(path) << "{\"a\": 1}";
  CHECK_EQ(read_json_file(path.string()).required_int("a"), 1);
  std::filesystem::remove(path);
  CHECK_THROWS(ErrorCode::kModelNotFound, read_json_file(path.string()));
}

#ifdef __linux__
TEST("mmap: what was read leaves the process's memory, and is there when it is read again") {
  const auto path = std::filesystem::temp_directory_path() / "fovea_test_give_back.bin";
  constexpr size_t kSize = size_t{64} << 20, kPage = 4096;
  std::ofstream(path, std::ios::binary) << "abc";
  std::filesystem::resize_file(path, kSize);
  const MappedFile file(path.string());
  // Pages of files in this process's memory.
  const auto resident = [] {
    size_t all = 0, resident = 0, of_files = 0;
    std::ifstream("/proc/self/statm") >> all >> resident >> of_files;
    return of_files;
  };
  const auto read = [&] {
    int sum = 0;
    for (size_t at = 0; at < kSize; at += kPage) sum += static_cast<int>(file.data()[at]);
    return sum;
  };
  const size_t before = resident();
  CHECK_EQ(read(), int{'a'});
  const size_t full = resident();
  CHECK(full >= before + kSize / kPage / 2);
  file.give_back();
  CHECK(resident() <= full - kSize / kPage / 2);
  CHECK_EQ(read(), int{'a'});
  std::filesystem::remove(path);
}
#endif

TEST("mmap: contents, missing and empty files, folders") {
  const auto path = std::filesystem::temp_directory_path() / "fovea_test_mmap.bin";
  std::ofstream(path, std::ios::binary) << "abc";
  MappedFile file(path.string());
  CHECK_EQ(file.size(), size_t{3});
  CHECK(file.data()[2] == std::byte{'c'});
  MappedFile moved = std::move(file);
  CHECK(moved.size() == 3 && moved.data()[0] == std::byte{'a'});
  std::ofstream(path, std::ios::trunc).flush();
  CHECK_THROWS(ErrorCode::kModelFormat, MappedFile(path.string()));
  std::filesystem::remove(path);
  CHECK_THROWS(ErrorCode::kModelNotFound, MappedFile(path.string()));
  CHECK(contains(message_of_call([&] { MappedFile missing(path.string()); }), path.string()));
  CHECK_THROWS(ErrorCode::kModelFormat, MappedFile(std::filesystem::temp_directory_path().string()));
}

}  // namespace fovea
