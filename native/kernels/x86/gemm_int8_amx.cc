// 8-bit rows by 8-bit weights on tiles.
#define FOVEA_TIER amx
#include "kernels/lanes/avx512.h"
#include "kernels/vector/fill.h"
#include "kernels/x86/amx_walk.h"

namespace fovea::avx512vnni {
void gemm_int8(const GemmTask& task);
}

namespace fovea::amx {
namespace {

struct Int8Product {
  static constexpr bool kSumsAreNumbers = false;
  template <int kSums>
  static FOVEA_INLINE void add() {
    add_byte_products<kSums>();
  }
  static FOVEA_INLINE Vec finish(const Tile& t, int row, const float* sums) {
    const Vec scale = splat(t.task->x_scales[t.row + row]) * load_upto(t.task->w_scales + t.column, t.columns);
    return to_floats(load_ints(sums)) * scale;
  }
};

}  // namespace

void gemm_int8(const GemmTask& task) {
  if (task.m <= kFewRows) {
    avx512vnni::gemm_int8(task);
  } else {
    TileWalk<Int8Product>(task).run();
  }
}

void fill_gemm_int8(KernelTable& table) { table.gemm_int8 = gemm_int8; }

}  // namespace fovea::amx
