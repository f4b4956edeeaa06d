#include "prune/probe.h"

namespace fovea {

std::vector<float> probe(Ops& ops, const Tensor& q, const Tensor& k, float scale) {
  const int64_t n_probe = q.rows(), n_keys = k.rows();
  const Buffer buffer = ops.allocate(static_cast<size_t>(n_probe * n_keys) * sizeof(float));
  const Tensor probabilities(buffer.data(), DType::kF32, ops.device(), {n_probe, n_keys});
  ops.attention_probs(q, k, scale, probabilities);
  std::vector<float> rows(static_cast<size_t>(n_probe * n_keys));
  ops.copy_to_host(probabilities, rows.data());

  std::vector<float> mean(static_cast<size_t>(n_keys), 0.0F);
  for (size_t i = 0; i < rows.size(); ++i) mean[i % mean.size()] += rows[i];
  for (float& value : mean) value /= static_cast<float>(n_probe);
  return mean;
}

}  // namespace fovea
