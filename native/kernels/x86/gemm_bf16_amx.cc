// bf16 rows by bf16 weights on tiles. The instruction takes 32 k at a time: it adds the products of their even and of
// their odd ones to a sum each, and both sums to the chain (see KernelTable::gemm_bf16).
#define FOVEA_TIER amx
#include "kernels/lanes/avx512.h"
#include "kernels/x86/amx_walk.h"

namespace fovea::amx {
namespace {

struct Bf16Product {
  static constexpr bool kSumsAreNumbers = true;
  template <int kSums>
  static FOVEA_INLINE void add() {
    add_bf16_products<kSums>();
  }
  static FOVEA_INLINE Vec finish(const Tile&, int, const float* sums) { return load(sums); }
};

void gemm_bf16(const GemmTask& task) {
  const FlushSubnormals flush;  // in what is added to the products, too
  GemmTask pairs = task;
  pairs.k /= 2;
  TileWalk<Bf16Product>(pairs).run();
}

}  // namespace

void fill_gemm_bf16(KernelTable& table) { table.gemm_bf16 = gemm_bf16; }

}  // namespace fovea::amx
