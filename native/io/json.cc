// Access to parsed values; the parser is in json_parser.cc.
#include "io/json.h"

#include <cmath>
#include <sstream>

namespace fovea {
namespace {

constexpr size_t kShownCharacters = 60;

const char* kind_name(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return "a boolean";
    case Json::Kind::kNumber:
      return "a number";
    case Json::Kind::kString:
      return "a string";
    case Json::Kind::kArray:
      return "an array";
    case Json::Kind::kObject:
      return "an object";
  }
  return "?";
}

template <typename T, typename Variant>
const T& as(const Variant& value, Json::Kind kind, Json::Kind expected) {
  if (const T* held = std::get_if<T>(&value)) return *held;
  throw Error(ErrorCode::kInternal,
              std::string("JSON value is ") + kind_name(kind) + ", expected " + kind_name(expected));
}

}  // namespace

bool Json::boolean() const { return as<bool>(value_, kind(), Kind::kBool); }
double Json::number() const { return as<Number>(value_, kind(), Kind::kNumber).value; }
const std::string& Json::string() const { return as<std::string>(value_, kind(), Kind::kString); }
const Json::Array& Json::array() const { return *as<std::shared_ptr<const Array>>(value_, kind(), Kind::kArray); }
const std::map<std::string, Json, std::less<>>& Json::members() const {
  return as<std::shared_ptr<const Object>>(value_, kind(), Kind::kObject)->members;
}

std::optional<int64_t> Json::integer() const {
  const Number* number = std::get_if<Number>(&value_);
  if (number == nullptr) return std::nullopt;
  if (number->integer) return number->integer;
  constexpr double kExact = 9007199254740992.0;  // 2^53: every integer up to here is a double
  if (std::fabs(number->value) > kExact || std::trunc(number->value) != number->value) return std::nullopt;
  return static_cast<int64_t>(number->value);
}

const Json::Object& Json::object() const {
  if (const auto* held = std::get_if<std::shared_ptr<const Object>>(&value_)) return **held;
  throw Error(ErrorCode::kModelFormat, "JSON value is " + shown() + ", expected an object");
}

const Json* Json::get(std::string_view key) const {
  const auto& members = object().members;
  const auto found = members.find(key);
  return found == members.end() || found->second.is_null() ? nullptr : &found->second;
}

const Json& Json::required(std::string_view key, std::string_view expected) const {
  const Json* value = get(key);
  if (value == nullptr) refuse(key, expected);
  return *value;
}

int64_t Json::required_int(std::string_view key) const {
  const std::optional<int64_t> value = required(key, "an integer").integer();
  if (!value) refuse(key, "an integer");
  return *value;
}

double Json::required_number(std::string_view key) const {
  const Json& value = required(key, "a number");
  if (!value.is_number()) refuse(key, "a number");
  return value.number();
}

const std::string& Json::required_string(std::string_view key) const {
  const Json& value = required(key, "a string");
  if (!value.is_string()) refuse(key, "a string");
  return value.string();
}

const Json& Json::required_array(std::string_view key) const {
  const Json& value = required(key, "an array");
  if (!value.is_array()) refuse(key, "an array");
  return value;
}

const Json& Json::required_object(std::string_view key) const {
  const Json& value = required(key, "an object");
  if (!value.is_object()) refuse(key, "an object");
  return value;
}

int64_t Json::int_or(std::string_view key, int64_t fallback) const { return has(key) ? required_int(key) : fallback; }

double Json::number_or(std::string_view key, double fallback) const {
  return has(key) ? required_number(key) : fallback;
}

bool Json::bool_or(std::string_view key, bool fallback) const {
  const Json* value = get(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) refuse(key, "true or false");
  return value->boolean();
}

std::string Json::string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? required_string(key) : std::string(fallback);
}

void Json::refuse(std::string_view key, std::string_view expected) const {
  const Object& held = object();
  const auto found = held.members.find(key);
  std::ostringstream message;
  // At the root only the document's name comes before the key.
  message << held.where << (held.is_root ? ": " : ".") << key << " is "
          << (found == held.members.end() ? "missing" : found->second.shown()) << ", expected " << expected;
  throw Error(held.code, message.str());
}

std::string Json::shown() const {
  std::ostringstream out;
  switch (kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean() ? "true" : "false";
    case Kind::kNumber: {
      const Number& number = std::get<Number>(value_);
      if (number.integer) return std::to_string(*number.integer);
      out.precision(17);
      out << number.value;
      return out.str();
    }
    case Kind::kString: {
      const std::string& text = string();
      if (text.size() <= kShownCharacters) return '"' + text + '"';
      // Cut at the start of a UTF-8 sequence.
      size_t end = kShownCharacters;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
      return '"' + text.substr(0, end) + "…\"";
    }
    case Kind::kArray:
      return "an array of " + std::to_string(array().size());
    case Kind::kObject:
      return "an object";
  }
  return "?";
}

}  // namespace fovea
