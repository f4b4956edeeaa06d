// Text to Json: a recursive descent over bytes with bounds on size, depth and number of values.
#include <charconv>
#include <cmath>
#include <utility>

#include "io/json.h"
#include "io/mmap.h"

#ifndef __cpp_lib_to_chars
#include <locale>
#include <sstream>
#endif

namespace fovea {
namespace {

constexpr size_t kMaxPath = 200;  // characters of a member's path kept for error messages

// Length of the UTF-8 sequence at the start of text; 0 if it is not valid (overlong, surrogate, beyond U+10FFFF).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// Independent of the process's locale. False if the value does not fit a double.
bool to_double(std::string_view literal, double* value) {
#ifdef __cpp_lib_to_chars
  return std::from_chars(literal.data(), literal.data() + literal.size(), *value).ec == std::errc();
#else
  std::istringstream stream{std::string(literal)};
  stream.imbue(std::locale::classic());
  return static_cast<bool>(stream >> *value) && std::isfinite(*value);
#endif
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& source, ErrorCode code)
      : text_(text), source_(source), code_(code), where_(source) {}

  Json parse_document() {
    if (text_.size() > kMaxJsonBytes)
      throw Error(code_, source_ + ": JSON of " + std::to_string(text_.size()) + " bytes, expected at most " +
                             std::to_string(kMaxJsonBytes));
    skip_space();
    Json value = parse_value(0);
    skip_space();
    if (position_ != text_.size()) fail("unexpected text after the end of the document");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { fail_at(position_, problem); }
  [[noreturn]] void fail_at(size_t offset, const std::string& problem) const {
    throw Error(code_, source_ + ": invalid JSON at byte " + std::to_string(offset) + ": " + problem);
  }

  bool at_end() const { return position_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[position_]; }
  bool take(char expected) {
    if (at_end() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }
  void expect(char expected) {
    if (!take(expected)) fail(std::string("expected '") + expected + "'");
  }
  void skip_space() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++position_;
  }

  Json parse_value(int depth) {
    if (depth >= kMaxJsonDepth) fail("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    if (++n_values_ > kMaxJsonValues) fail("more than " + std::to_string(kMaxJsonValues) + " values");
    if (at_end()) fail("the text ends where a value was expected");
    switch (peek()) {
      case '{':
        return parse_object(depth);
      case '[':
        return parse_array(depth);
      case '"':
        return Json(parse_string());
      case 't':
        return parse_word("true", Json(true));
      case 'f':
        return parse_word("false", Json(false));
      case 'n':
        return parse_word("null", Json());
      default:
        return parse_number();
    }
  }

  Json parse_word(std::string_view word, Json value) {
    if (text_.substr(position_, word.size()) != word) fail("expected a value");
    position_ += word.size();
    return value;
  }

  Json parse_object(int depth) {
    auto object = std::make_shared<Json::Object>(Json::Object{where_, depth == 0, code_, {}});
    const size_t parent = where_.size();
    expect('{');
    skip_space();
    if (take('}')) return Json(std::shared_ptr<const Json::Object>(std::move(object)));
    do {
      skip_space();
      const size_t key_offset = position_;
      if (peek() != '"') fail("expected a member name in double quotes");
      std::string key = parse_string();
      enter((depth == 0 ? ": " : ".") + key);
      skip_space();
      expect(':');
      skip_space();
      Json value = parse_value(depth + 1);
      where_.resize(parent);
      if (!object->members.emplace(key, std::move(value)).second)
        fail_at(key_offset, "duplicate member " + Json(std::move(key)).shown());
      skip_space();
    } while (take(','));
    expect('}');
    return Json(std::shared_ptr<const Json::Object>(std::move(object)));
  }

  Json parse_array(int depth) {
    Json::Array items;
    const size_t parent = where_.size();
    expect('[');
    skip_space();
    if (take(']')) return Json(std::move(items));
    do {
      skip_space();
      const std::string index = "[" + std::to_string(items.size()) + "]";
      enter(depth == 0 ? ": " + index : index);
      items.push_back(parse_value(depth + 1));
      where_.resize(parent);
      skip_space();
    } while (take(','));
    expect(']');
    return Json(std::move(items));
  }

  // Extends the path of the value that follows; very long paths stop growing, they only serve messages.
  void enter(const std::string& step) {
    if (where_.size() + step.size() <= source_.size() + kMaxPath) where_ += step;
  }

  std::string parse_string() {
    std::string out;
    expect('"');
    while (true) {
      if (at_end()) fail("the text ends inside a string");
      const char c = text_[position_];
      if (c == '"') {
        ++position_;
        return out;
      }
      if (c == '\\') {
        parse_escape(out);
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("control character in a string; write it as an escape");
      const size_t length = utf8_length(text_.substr(position_));
      if (length == 0) fail("invalid UTF-8");
      out.append(text_, position_, length);
      position_ += length;
    }
  }

  void parse_escape(std::string& out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    const size_t start = position_++;
    if (take('u')) {
      append_utf8(out, parse_code_point(start));
      return;
    }
    const size_t which = at_end() ? std::string_view::npos : kNames.find(peek());
    if (which == std::string_view::npos) fail_at(start, "unknown escape");
    ++position_;
    out.push_back(kValues[which]);
  }

  // After "\u": one code point, which takes two escapes beyond U+FFFF.
  uint32_t parse_code_point(size_t start) {
    const uint32_t first = parse_hex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || text_.substr(position_, 2) != "\\u") fail_at(start, "lone surrogate");
    position_ += 2;
    const uint32_t second = parse_hex4();
    if (second < 0xDC00 || second > 0xDFFF) fail_at(start, "lone surrogate");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  uint32_t parse_hex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++position_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("expected four hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  size_t skip_digits() {
    const size_t start = position_;
    while (peek() >= '0' && peek() <= '9') ++position_;
    return position_ - start;
  }

  Json parse_number() {
    const size_t start = position_;
    take('-');
    const size_t first_digit = position_;
    const size_t n_digits = skip_digits();
    if (n_digits == 0) fail_at(start, "expected a value");
    if (n_digits > 1 && text_[first_digit] == '0') fail_at(start, "number with a leading zero");
    bool is_integer = true;
    if (take('.')) {
      is_integer = false;
      if (skip_digits() == 0) fail("expected a digit after the decimal point");
    }
    if (peek() == 'e' || peek() == 'E') {
      is_integer = false;
      ++position_;
      if (!take('+')) take('-');
      if (skip_digits() == 0) fail("expected a digit in the exponent");
    }
    const std::string_view literal = text_.substr(start, position_ - start);
    Json::Number number{0, std::nullopt};
    if (!to_double(literal, &number.value)) fail_at(start, "number out of the range of a double");
    int64_t integer = 0;
    if (is_integer && std::from_chars(literal.data(), literal.data() + literal.size(), integer).ec == std::errc())
      number.integer = integer;
    return Json(number);
  }

  std::string_view text_;
  const std::string& source_;
  ErrorCode code_;
  std::string where_;  // path of the value being parsed
  size_t position_ = 0;
  size_t n_values_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& source, ErrorCode code) {
  return Parser(text, source, code).parse_document();
}

Json read_json_file(const std::string& path) {
  const MappedFile file(path);
  Json document = parse_json({reinterpret_cast<const char*>(file.data()), file.size()}, path);
  if (!document.is_object())
    throw Error(ErrorCode::kModelFormat, path + " holds " + document.shown() + ", expected a JSON object");
  return document;
}

}  // namespace fovea
