// The formats are those of llama.cpp's ggml. Every one is a scale (and for some an offset), as f16, for a block of
// integers of 4 to 8 bits; the K formats scale the scales of sub-blocks once more.
#include "io/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/half.h"

namespace fovea {
namespace {

constexpr int64_t kShort = 32;  // numbers of a block, or of a sub-block of the K formats
constexpr int64_t kLong = 256;

constexpr std::array<GgufTypeFacts, 33> kTypes = {{
    {GgufType::kF32, "F32", 1, 4, true},
    {GgufType::kF16, "F16", 1, 2, true},
    {GgufType::kQ4_0, "Q4_0", kShort, 18, true},
    {GgufType::kQ4_1, "Q4_1", kShort, 20, true},
    {GgufType::kQ5_0, "Q5_0", kShort, 22, true},
    {GgufType::kQ5_1, "Q5_1", kShort, 24, true},
    {GgufType::kQ8_0, "Q8_0", kShort, 34, true},
    {static_cast<GgufType>(9), "Q8_1", kShort, 40, false},
    {static_cast<GgufType>(10), "Q2_K", kLong, 84, false},
    {static_cast<GgufType>(11), "Q3_K", kLong, 110, false},
    {GgufType::kQ4_K, "Q4_K", kLong, 144, true},
    {GgufType::kQ5_K, "Q5_K", kLong, 176, true},
    {GgufType::kQ6_K, "Q6_K", kLong, 210, true},
    {static_cast<GgufType>(15), "Q8_K", kLong, 292, false},
    {static_cast<GgufType>(16), "IQ2_XXS", kLong, 66, false},
    {static_cast<GgufType>(17), "IQ2_XS", kLong, 74, false},
    {static_cast<GgufType>(18), "IQ3_XXS", kLong, 98, false},
    {static_cast<GgufType>(19), "IQ1_S", kLong, 50, false},
    {static_cast<GgufType>(20), "IQ4_NL", kShort, 18, false},
    {static_cast<GgufType>(21), "IQ3_S", kLong, 110, false},
    {static_cast<GgufType>(22), "IQ2_S", kLong, 82, false},
    {static_cast<GgufType>(23), "IQ4_XS", kLong, 136, false},
    {static_cast<GgufType>(24), "I8", 1, 1, false},
    {static_cast<GgufType>(25), "I16", 1, 2, false},
    {static_cast<GgufType>(26), "I32", 1, 4, false},
    {static_cast<GgufType>(27), "I64", 1, 8, false},
    {static_cast<GgufType>(28), "F64", 1, 8, false},
    {static_cast<GgufType>(29), "IQ1_M", kLong, 56, false},
    {GgufType::kBF16, "BF16", 1, 2, true},
    {static_cast<GgufType>(34), "TQ1_0", kLong, 54, false},
    {static_cast<GgufType>(35), "TQ2_0", kLong, 66, false},
    {static_cast<GgufType>(39), "MXFP4", kShort, 17, false},
    {static_cast<GgufType>(40), "NVFP4", 64, 36, false},
}};

uint32_t byte_at(const std::byte* data, int64_t i) { return std::to_integer<uint32_t>(data[i]); }

float half_at(const std::byte* data) {
  return f16_to_f32(static_cast<uint16_t>(byte_at(data, 0) | (byte_at(data, 1) << 8)));
}

uint32_t word_at(const std::byte* data) {
  return byte_at(data, 0) | (byte_at(data, 1) << 8) | (byte_at(data, 2) << 16) | (byte_at(data, 3) << 24);
}

// Number i and number i + 16 share a byte: the low and the high four bits.
uint32_t nibble(const std::byte* packed, int64_t i) {
  const uint32_t byte = byte_at(packed, i % (kShort / 2));
  return i < kShort / 2 ? byte & 15u : byte >> 4;
}

void q8_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int64_t i = 0; i < kShort; ++i) out[i] = static_cast<float>(static_cast<int8_t>(byte_at(block + 2, i))) * scale;
}

void q4_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int64_t i = 0; i < kShort; ++i) out[i] = scale * static_cast<float>(static_cast<int>(nibble(block + 2, i)) - 8);
}

void q4_1(const std::byte* block, float* out) {
  const float scale = half_at(block), lowest = half_at(block + 2);
  for (int64_t i = 0; i < kShort; ++i) out[i] = scale * static_cast<float>(nibble(block + 4, i)) + lowest;
}

// A fifth bit for each number stands apart, in one word.
uint32_t five_bits(const std::byte* word, int64_t i) {
  return nibble(word + 4, i) | (((word_at(word) >> i) & 1u) << 4);
}

void q5_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int64_t i = 0; i < kShort; ++i)
    out[i] = scale * static_cast<float>(static_cast<int>(five_bits(block + 2, i)) - 16);
}

void q5_1(const std::byte* block, float* out) {
  const float scale = half_at(block), lowest = half_at(block + 2);
  for (int64_t i = 0; i < kShort; ++i) out[i] = scale * static_cast<float>(five_bits(block + 4, i)) + lowest;
}

// Scale and offset of sub-block s of Q4_K and Q5_K, six bits each, from twelve bytes: those of the first four lie in
// the low bits of bytes 0 to 3 and 4 to 7; of the last four, four bits are in bytes 8 to 11, and two above the former.
struct SubBlock {
  uint32_t scale, offset;
};
SubBlock sub_block(const std::byte* packed, int64_t s) {
  if (s < 4) return {byte_at(packed, s) & 63u, byte_at(packed, s + 4) & 63u};
  const uint32_t low = byte_at(packed, s + 4);
  return {(low & 15u) | ((byte_at(packed, s - 4) >> 6) << 4), (low >> 4) | ((byte_at(packed, s) >> 6) << 4)};
}

// Sub-blocks come in pairs that share 32 bytes, one in the low, one in the high four bits. fifth: a byte for each place
// in a sub-block, with a bit for each sub-block; or null.
void q4_or_5_k(const std::byte* block, const std::byte* fifth, const std::byte* packed, float* out) {
  const float scale = half_at(block), offset_scale = half_at(block + 2);
  for (int64_t s = 0; s < kLong / kShort; ++s) {
    const SubBlock sub = sub_block(block + 4, s);
    const float step = scale * static_cast<float>(sub.scale), offset = offset_scale * static_cast<float>(sub.offset);
    for (int64_t i = 0; i < kShort; ++i) {
      const uint32_t byte = byte_at(packed, s / 2 * kShort + i);
      uint32_t q = s % 2 == 0 ? byte & 15u : byte >> 4;
      if (fifth != nullptr) q |= ((byte_at(fifth, i) >> s) & 1u) << 4;
      out[s * kShort + i] = step * static_cast<float>(q) - offset;
    }
  }
}

void q4_k(const std::byte* block, float* out) { q4_or_5_k(block, nullptr, block + 16, out); }
void q5_k(const std::byte* block, float* out) { q4_or_5_k(block, block + 16, block + 48, out); }

// Halves of 128 numbers, four groups of 32 in each. Of a group, four bits of number i are in the low (groups 0 and 1)
// or high bits (2 and 3) of 64 bytes, two more in 32 bytes that all four groups share. Every 16 numbers have a scale.
void q6_k(const std::byte* block, float* out) {
  const std::byte* scales = block + 192;
  const float scale = half_at(block + 208);
  for (int64_t run = 0; run < kLong / 16; ++run, out += 16) {
    const int64_t half = run / 8, group = run / 2 % 4, at = run % 2 * 16;
    const std::byte* low = block + half * 64 + group % 2 * 32 + at;
    const std::byte* high = block + 128 + half * 32 + at;
    const uint32_t low_shift = group < 2 ? 0 : 4, high_shift = static_cast<uint32_t>(2 * group);
    const float step = scale * static_cast<float>(static_cast<int8_t>(byte_at(scales, run)));
    for (int64_t i = 0; i < 16; ++i) {
      const uint32_t q = ((byte_at(low, i) >> low_shift) & 15u) | (((byte_at(high, i) >> high_shift) & 3u) << 4);
      out[i] = step * static_cast<float>(static_cast<int>(q) - 32);
    }
  }
}

using Reader = void (*)(const std::byte* block, float* out);

Reader reader_of(GgufType type) {
  switch (type) {
    case GgufType::kQ4_0:
      return q4_0;
    case GgufType::kQ4_1:
      return q4_1;
    case GgufType::kQ5_0:
      return q5_0;
    case GgufType::kQ5_1:
      return q5_1;
    case GgufType::kQ8_0:
      return q8_0;
    case GgufType::kQ4_K:
      return q4_k;
    case GgufType::kQ5_K:
      return q5_k;
    case GgufType::kQ6_K:
      return q6_k;
    default:
      throw Error(ErrorCode::kInternal, "dequantise: a type without blocks");
  }
}

// False if a finite number became infinite. exponent: the bits that are all set in infinity.
template <typename Narrow>
bool narrow_block(const float* values, int64_t n, uint16_t* out, Narrow narrow, uint32_t exponent) {
  uint32_t overflows = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = narrow(values[i]);
    const bool is_finite = (bits_of_float(values[i]) & 0x7f800000u) != 0x7f800000u;
    overflows |= static_cast<uint32_t>(is_finite) & static_cast<uint32_t>((out[i] & exponent) == exponent);
  }
  return overflows == 0;
}

}  // namespace

const GgufTypeFacts* gguf_type_facts(uint32_t type) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const GgufTypeFacts& known) {
    return static_cast<uint32_t>(known.type) == type;
  });
  return found == kTypes.end() ? nullptr : &*found;
}

bool dequantise(GgufType type, const std::byte* blocks, int64_t n, DType as, void* out) {
  const Reader read = reader_of(type);
  const GgufTypeFacts& facts = *gguf_type_facts(static_cast<uint32_t>(type));
  if (n % facts.block != 0 || as == DType::kI32) throw Error(ErrorCode::kInternal, "dequantise: not whole blocks");
  if (as == DType::kF32) {
    auto* values = static_cast<float*>(out);
    for (int64_t at = 0; at < n; at += facts.block, blocks += facts.block_bytes) read(blocks, values + at);
    return true;
  }
  auto* halves = static_cast<uint16_t*>(out);
  std::array<float, kLong> values;
  bool fits = true;
  for (int64_t at = 0; at < n; at += facts.block, blocks += facts.block_bytes) {
    read(blocks, values.data());
    const bool is_f16 = as == DType::kF16;
    fits = (is_f16 ? narrow_block(
                         values.data(), facts.block, halves + at, [](float x) { return f32_to_f16(x); }, 0x7c00u)
                   : narrow_block(
                         values.data(), facts.block, halves + at, [](float x) { return f32_to_bf16(x); }, 0x7f80u)) &&
           fits;
  }
  return fits;
}

}  // namespace fovea
