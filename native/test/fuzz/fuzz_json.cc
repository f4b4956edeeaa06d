// libFuzzer target: any bytes are a document or an Error, and every value of a document can be visited and shown.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/json.h"

namespace {

void visit(const fovea::Json& json) {
  if (json.shown().empty()) std::abort();
  if (json.is_array()) {
    for (const fovea::Json& item : json.array()) visit(item);
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.members()) {
      if (json.has(key) == value.is_null()) std::abort();
      visit(value);
    }
  } else if (json.integer() && !json.is_number()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    visit(fovea::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"));
  } catch (const fovea::Error& error) {
    if (error.code() != fovea::ErrorCode::kModelFormat) std::abort();
  }
  return 0;
}
