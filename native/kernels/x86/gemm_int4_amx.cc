// 8-bit rows by 4-bit weights on tiles. Sums end with every group of k, which is what a tile holds, and go on as chains
// of floats: so a product is a tile's, and what follows is done in vectors. The nibbles of a panel become bytes for
// some groups at a time, once for all rows.
#define FOVEA_TIER amx
#include "kernels/lanes/avx512.h"
#include "kernels/vector/fill.h"
#include "kernels/x86/amx_walk.h"

namespace fovea::avx512vnni {
void gemm_int4(const GemmTask& task);
}

namespace fovea::amx {
namespace {

static_assert(kGroup == kTileRowBytes);

constexpr int64_t kPassGroups = 12;  // their bytes stay in the first cache

// Some groups of one panel.
struct Bytes {
  alignas(64) std::byte weights[kPassGroups * kTileBytes];
  alignas(64) float scales[kPassGroups * kPanel], minima[kPassGroups * kPanel];

  void unpack(const std::byte* groups, int64_t count) {
    const __m512i low = _mm512_set1_epi8(0x0f);
    for (int64_t g = 0; g < count; ++g, groups += kInt4GroupBytes) {
      std::byte* out = weights + g * kTileBytes;
      for (int64_t pair = 0; pair < kGroupWords / 2; ++pair, out += 2 * kTileRowBytes) {
        const __m512i both = _mm512_loadu_si512(groups + pair * kTileRowBytes);
        _mm512_store_si512(out, _mm512_and_si512(both, low));
        _mm512_store_si512(out + kTileRowBytes, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
      }
      const auto* of_group = reinterpret_cast<const uint16_t*>(groups + kGroup * kPanel / 2);
      store(scales + g * kPanel, load_f16(of_group));
      store(minima + g * kPanel, load_f16(of_group + kPanel));
    }
  }
};

// What x_sums says of some groups, as floats, tile after tile; zero for rows that a tile does not have.
struct RowSums {
  alignas(64) float of[kGemmRows / kTileSide][kTileSide][kPassGroups];

  void take(const GemmTask& task, const RowTiles& tiles, int64_t begin, int64_t count) {
    __builtin_memset(of, 0, sizeof of);
    for (int64_t tile = 0; tile < tiles.count; ++tile)
      for (int64_t row = 0; row < tiles.height; ++row) {
        const int32_t* sums = task.x_sums + (tiles.begin(tile) + row) * task.x_sums_stride + begin;
        for (int64_t g = 0; g < count; ++g) of[tile][row][g] = static_cast<float>(sums[g]);
      }
  }
};

// The chains of one tile of rows and one panel over `count` groups. rows: of x, from the first group on.
FOVEA_INLINE void add_groups(const std::byte* rows, int64_t stride, const float (&row_sums)[kTileSide][kPassGroups],
                             const Bytes& bytes, int64_t count, Vec (&chain)[kTileSide]) {
  alignas(64) int32_t sums[kPassGroups][kTileSide * kPanel];
  const auto multiply = [&]<int kTile>(int64_t g) {
    load_tile<kWeightsTile>(bytes.weights + g * kTileBytes, kTileRowBytes);
    load_tile<kRowsTile>(rows + g * kTileRowBytes, stride);
    zero_tile<kTile>();
    add_byte_products<kTile>();
    store_tile<kTile>(sums[g], kTileRowBytes);
  };
  for (int64_t g = 0; g < count; g += 2) {
    multiply.template operator()<0>(g);
    if (g + 1 < count) multiply.template operator()<1>(g + 1);
  }
  for (int64_t g = 0; g < count; ++g) {
    const Vec scale = load(bytes.scales + g * kPanel), minimum = load(bytes.minima + g * kPanel);
#pragma GCC unroll 16
    for (int64_t row = 0; row < kTileSide; ++row) {
      chain[row] = fma(scale, to_floats(load_ints(sums[g] + row * kPanel)), chain[row]);
      chain[row] = fma(minimum, splat(row_sums[row][g]), chain[row]);
    }
  }
}

}  // namespace

void gemm_int4(const GemmTask& task) {
  if (task.m <= kFewRows) {
    avx512vnni::gemm_int4(task);
    return;
  }
  const RowTiles tiles(task.m);
  const TileConfig config(tiles.height);
  const int64_t stride = task.x_stride * static_cast<int64_t>(sizeof(float));
  const int64_t groups = task.k / kGroupWords, n_panels = ceil_divide(task.n, kPanel);
  Bytes bytes;
  RowSums row_sums;
  for (int64_t begin = 0; begin < groups; begin += kPassGroups) {
    const int64_t count = groups - begin < kPassGroups ? groups - begin : kPassGroups;
    const bool is_last = begin + count == groups;
    row_sums.take(task, tiles, begin, count);
    for (int64_t panel = 0; panel < n_panels; ++panel) {
      bytes.unpack(static_cast<const std::byte*>(task.panels) + panel * task.panel_stride + begin * kInt4GroupBytes,
                   count);
      Tile t{};
      t.task = &task;
      t.column = panel * kPanel;
      t.columns = task.n - t.column;
      for (int64_t tile = 0; tile < tiles.count; ++tile) {
        t.row = tiles.begin(tile);
        float* rest = task.scratch + (tile * n_panels + panel) * kTileFloats;
        Vec chain[kTileSide];
        for (int64_t row = 0; row < kTileSide; ++row) chain[row] = begin > 0 ? load(rest + row * kPanel) : zero();
        add_groups(static_cast<const std::byte*>(task.x) + t.row * stride + begin * kTileRowBytes, stride,
                   row_sums.of[tile], bytes, count, chain);
        for (int64_t row = is_last ? tiles.repeated(tile) : 0; row < (is_last ? tiles.height : kTileSide); ++row) {
          if (is_last) {
            write_out(t, static_cast<int>(row), 0, chain[row] * splat(task.x_scales[t.row + row]));
          } else {
            store(rest + row * kPanel, chain[row]);
          }
        }
      }
    }
  }
}

void fill_gemm_int4(KernelTable& table) { table.gemm_int4 = gemm_int4; }

}  // namespace fovea::amx
