// How GGUF files hold numbers: plain floats, or blocks of small integers with a common scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace fovea {

// The numbers are those of the files.
enum class GgufType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

struct GgufTypeFacts {
  GgufType type;
  const char* name;
  int64_t block;  // numbers that stand together; rows hold whole blocks
  int64_t block_bytes;
  bool readable;  // there are files with further types, whose size is all that is known here
};

// nullptr for a type that nobody knew when this was written.
const GgufTypeFacts* gguf_type_facts(uint32_t type);

// The numbers of n / block blocks, as f32, f16 or bf16. type is readable and has blocks (Q…); n is a multiple of its
// block; out holds n numbers. False if one of them is too large for `as`.
bool dequantise(GgufType type, const std::byte* blocks, int64_t n, DType as, void* out);

}  // namespace fovea
