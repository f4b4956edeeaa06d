// The tile registers of AMX. Wrappers of our own: GCC 12's intrinsics forget that loads read memory, and clang's choose
// registers themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace fovea::FOVEA_TIER {
namespace {

// A tile has up to 16 rows of 16 words of 32 bits: sums, pairs of bf16, or 64 bytes.
constexpr int64_t kTileSide = 16;
constexpr int64_t kTileRowBytes = 64;
constexpr int64_t kTileBytes = kTileSide * kTileRowBytes;

// So many rows are multiplied faster in vectors: weights then come from memory, of which a tile waits for 16 lines.
constexpr int64_t kFewRows = 4;

// Four of the eight registers. With all in use, loads and products were measured not to overlap while another thread of
// the core uses tiles too (registers to rename to seem to be shared), and a product to take four times as long; with
// four, less than twice.
constexpr int kMostSums = 2, kRowsTile = 2, kWeightsTile = 3;  // sums: tiles 0 and 1

// Tiles of sums and of rows are this tall while one of these lives; then none are in use, so that a switch of threads
// need not save them.
class TileConfig {
 public:
  explicit TileConfig(int64_t rows) {
    alignas(64) uint8_t layout[64] = {};
    layout[0] = 1;  // the palette
    for (int tile = 0; tile <= kWeightsTile; ++tile) {
      layout[16 + 2 * tile] = kTileRowBytes;
      layout[48 + tile] = static_cast<uint8_t>(tile == kWeightsTile ? kTileSide : rows);
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(layout) : "memory");
  }
  ~TileConfig() { __asm__ volatile("tilerelease" : : : "memory"); }
  TileConfig(const TileConfig&) = delete;
  TileConfig& operator=(const TileConfig&) = delete;
};

// stride: bytes from row to row.
template <int kTile>
FOVEA_INLINE void load_tile(const void* rows, int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
FOVEA_INLINE void store_tile(void* rows, int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(rows), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
FOVEA_INLINE void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// sums += rows * weights
template <int kSums>
FOVEA_INLINE void add_bf16_products() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRowsTile), "i"(kWeightsTile));
}
template <int kSums>
FOVEA_INLINE void add_byte_products() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRowsTile), "i"(kWeightsTile));
}

}  // namespace
}  // namespace fovea::FOVEA_TIER
