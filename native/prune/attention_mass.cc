#include "prune/attention_mass.h"

#include "ops/device_array.h"

namespace fovea {

AttentionMass attention_mass(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule,
                             std::span<const KeyRange> sees) {
  AttentionMass mass{q.shape[1], k.n_heads(), k.rows(), {}};
  DeviceArray memory;
  const Tensor numbers = memory.resize(ops, {mass.n_heads, mass.n_keys});
  ops.attention_mass(q, k, rule, sees, numbers);
  mass.numbers.resize(static_cast<size_t>(numbers.elements()));
  ops.copy_to_host(numbers, mass.numbers.data());
  return mass;
}

AttentionMass attention_mass(Ops& ops, const Tensor& q, const KeyRows& k, ScoreRule rule,
                             std::span<const KeyRange> sees, std::span<const float> sizes) {
  if (sizes.empty()) return attention_mass(ops, q, k, rule, sees);
  AttentionMass sum{q.shape[1], k.n_heads(), k.rows(), {}};
  sum.numbers.resize(static_cast<size_t>(sum.n_heads * sum.n_keys));
  for (int64_t query = 0; query < q.rows(); ++query) {
    const AttentionMass one =
        attention_mass(ops, q.slice(query, 1), k, rule, sees.subspan(static_cast<size_t>(query), 1));
    for (size_t head = 0; head < static_cast<size_t>(sum.n_heads); ++head) {
      const size_t begin = head * static_cast<size_t>(sum.n_keys);
      double total = 0;
      for (size_t key = 0; key < sizes.size(); ++key) total += double{sizes[key]} * one.numbers[begin + key];
      for (size_t key = 0; key < sizes.size(); ++key)
        sum.numbers[begin + key] += static_cast<float>(double{sizes[key]} * one.numbers[begin + key] / total);
    }
  }
  return sum;
}

std::vector<float> AttentionMass::mean_over_heads() const {
  std::vector<float> mean(static_cast<size_t>(n_keys), 0.0F);
  for (size_t i = 0; i < numbers.size(); ++i) mean[i % mean.size()] += numbers[i];
  for (float& value : mean) value /= static_cast<float>(n_heads);
  return mean;
}

std::vector<float> mean_over_heads(Ops& ops, const Tensor& heads) {
  const int64_t n_heads = heads.shape[1], d_head = heads.shape[2];
  std::vector<float> numbers(static_cast<size_t>(heads.elements())), mean;
  ops.copy_to_host(heads, numbers.data());
  mean.assign(static_cast<size_t>(heads.rows() * d_head), 0.0F);
  for (int64_t row = 0; row < heads.rows(); ++row)
    for (int64_t head = 0; head < n_heads; ++head)
      for (int64_t c = 0; c < d_head; ++c)
        mean[static_cast<size_t>(row * d_head + c)] +=
            numbers[static_cast<size_t>((row * n_heads + head) * d_head + c)] / static_cast<float>(n_heads);
  return mean;
}

}  // namespace fovea
