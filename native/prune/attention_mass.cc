#include "prune/attention_mass.h"

#include "ops/device_array.h"

namespace fovea {

AttentionMass attention_mass(Ops& ops, const Tensor& q, const Tensor& k, float scale,
                             std::span<const int64_t> visible) {
  AttentionMass mass{q.shape[1], k.shape[1], k.rows(), {}};
  DeviceArray memory;
  const Tensor numbers = memory.resize(ops, {mass.n_heads, mass.n_keys});
  ops.attention_mass(q, k, scale, visible, numbers);
  mass.numbers.resize(static_cast<size_t>(numbers.elements()));
  ops.copy_to_host(numbers, mass.numbers.data());
  return mass;
}

std::vector<float> AttentionMass::mean_over_heads() const {
  std::vector<float> mean(static_cast<size_t>(n_keys), 0.0F);
  for (size_t i = 0; i < numbers.size(); ++i) mean[i % mean.size()] += numbers[i];
  for (float& value : mean) value /= static_cast<float>(n_heads);
  return mean;
}

}  // namespace fovea
