// libFuzzer target: any bytes are a header or an Error, and what the parser accepts keeps its promises: tensors lie in
// the file, and their blocks can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/error.h"
#include "io/gguf.h"

namespace {

void check_blocks(std::span<const std::byte> bytes, const fovea::GgufEntry& entry) {
  const fovea::GgufTypeFacts& facts = *fovea::gguf_type_facts(static_cast<uint32_t>(entry.type));
  if (!facts.readable || facts.block == 1) return;
  const int64_t n = static_cast<int64_t>(entry.end - entry.begin) / facts.block_bytes * facts.block;
  if (n > 1 << 16) return;
  std::vector<float> numbers(static_cast<size_t>(n));
  fovea::dequantise(entry.type, bytes.data() + entry.begin, n, fovea::DType::kF32, numbers.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const fovea::GgufHeader header = fovea::parse_gguf_header(bytes, size, "fuzz");
    for (const auto& [name, entry] : header.tensors) {
      if (entry.begin > entry.end || entry.end > size || entry.shape.empty()) std::abort();
      check_blocks(bytes, entry);
    }
    if (!header.metadata.is_object()) std::abort();
  } catch (const fovea::Error& error) {
    if (error.code() != fovea::ErrorCode::kModelFormat && error.code() != fovea::ErrorCode::kModelUnsupported)
      std::abort();
  }
  return 0;
}
