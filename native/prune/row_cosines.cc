#include "prune/row_cosines.h"

#include "base/error.h"
#include "ops/device_array.h"

namespace fovea {

std::vector<float> row_cosines(Ops& ops, const Tensor& features, std::span<const int32_t> a,
                               std::span<const int32_t> b) {
  DeviceArray unit_a, unit_b, products;
  const auto unit = [&](std::span<const int32_t> rows, DeviceArray& memory) {
    const Tensor x = memory.resize(ops, {static_cast<int64_t>(rows.size()), features.row_elements()});
    ops.gather_rows(features, rows, x);
    ops.normalise_rows(x, x);
    if (!ops.all_finite(x))
      throw Error(ErrorCode::kNumeric,
                  "the rows to compare hold NaN or infinity; the image's pixels or the model's weights are damaged");
    return x;
  };
  const Tensor x = unit(a, unit_a), y = unit(b, unit_b);
  const Tensor out = products.resize(ops, {x.rows(), y.rows()});
  ops.dot_rows(x, y, out);
  std::vector<float> cosine(static_cast<size_t>(out.elements()));
  ops.copy_to_host(out, cosine.data());
  return cosine;
}

}  // namespace fovea
