// A strict JSON reader for model configs, safetensors headers and plans. Values are immutable and cheap to copy.
//
// Every object remembers where it comes from, so that the typed getters below can name the file, the path and the key:
//   config.json: text_config.hidden_size is "big", expected an integer
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace fovea {

class Json {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  struct Number {
    double value;
    std::optional<int64_t> integer;  // exact, for literals without fraction and exponent
  };
  using Array = std::vector<Json>;
  struct Object;

  Json() = default;
  explicit Json(bool value) : value_(value) {}
  explicit Json(Number value) : value_(value) {}
  explicit Json(std::string value) : value_(std::move(value)) {}
  explicit Json(Array value) : value_(std::make_shared<const Array>(std::move(value))) {}
  explicit Json(std::shared_ptr<const Object> value) : value_(std::move(value)) {}

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_number() const { return kind() == Kind::kNumber; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // The value as a type; what it is must have been asked before (kInternal otherwise).
  bool boolean() const;
  double number() const;
  const std::string& string() const;
  const Array& array() const;
  const std::map<std::string, Json, std::less<>>& members() const;  // of an object, sorted by key
  // The value as an integer, also when written 3.0 or 3e2; nothing for other numbers and other kinds.
  std::optional<int64_t> integer() const;

  // Members of an object; on other kinds they throw kModelFormat. A member that is null counts as absent for get, has
  // and the *_or getters: model configs write null for "default".
  const Json* get(std::string_view key) const;  // nullptr if absent
  bool has(std::string_view key) const { return get(key) != nullptr; }

  // Typed members. Absent: the fallback, or an error for required_*. Another type: an error.
  int64_t required_int(std::string_view key) const;
  double required_number(std::string_view key) const;
  const std::string& required_string(std::string_view key) const;
  const Json& required_array(std::string_view key) const;
  const Json& required_object(std::string_view key) const;
  int64_t int_or(std::string_view key, int64_t fallback) const;
  double number_or(std::string_view key, double fallback) const;
  bool bool_or(std::string_view key, bool fallback) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;

  // Throws with the code of the document: "<where>.<key> is <value>, expected <expected>".
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  // A short rendering for error messages.
  std::string shown() const;

 private:
  const Object& object() const;
  const Json& required(std::string_view key, std::string_view expected) const;

  std::variant<std::monostate, bool, Number, std::string, std::shared_ptr<const Array>, std::shared_ptr<const Object>>
      value_;
};

struct Json::Object {
  std::string where;  // "config.json: text_config"
  bool is_root;       // where is the document's name alone
  ErrorCode code;     // of errors about the members
  std::map<std::string, Json, std::less<>> members;
};

constexpr size_t kMaxJsonBytes = 100 * 1000 * 1000;
constexpr int kMaxJsonDepth = 64;
constexpr size_t kMaxJsonValues = size_t{1} << 22;  // bounds the memory of a document, about 100 bytes per value

// Parses a whole document of valid UTF-8. Rejects duplicate keys, trailing text, and anything beyond the bounds above.
// source names the document in errors, which have this code and a byte offset.
Json parse_json(std::string_view text, const std::string& source, ErrorCode code = ErrorCode::kModelFormat);

// The same for a file. Throws kModelNotFound if there is none.
Json read_json_file(const std::string& path);

}  // namespace fovea
