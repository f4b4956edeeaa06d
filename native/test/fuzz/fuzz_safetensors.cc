// libFuzzer target: any bytes are a header or an Error, and what the parser accepts keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto entries = fovea::parse_safetensors_header(std::as_bytes(std::span(data, size)), size, "fuzz");
    for (const auto& entry : entries)
      if (entry.begin > entry.end || entry.end > size) std::abort();
  } catch (const fovea::Error& error) {
    if (error.code() != fovea::ErrorCode::kModelFormat) std::abort();
  }
  return 0;
}
