// Norms of one row.
#pragma once

#include "kernels/vector/fill.h"

namespace fovea::FOVEA_TIER {
namespace {

float sum_of_squares(const float* x, float centre, int64_t d) {
  const int64_t whole = d / 16 * 16;
  Vec sum = zero();
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec off = load(x + i) - splat(centre);
    sum = fma(off, off, sum);
  }
  if (whole < d) {
    const Vec off = keep_first(load(x + whole, d - whole) - splat(centre), d - whole);
    sum = fma(off, off, sum);
  }
  return sum_lanes(sum);
}

float sum_of(const float* x, int64_t d) {
  const int64_t whole = d / 16 * 16;
  Vec sum = zero();
  for (int64_t i = 0; i < whole; i += 16) sum = sum + load(x + i);
  if (whole < d) sum = sum + load(x + whole, d - whole);
  return sum_lanes(sum);
}

void rms_norm(const float* x, const float* weight, float eps, int64_t d, float* out) {
  const int64_t whole = d / 16 * 16, rest = d - whole;
  const Vec inverse = splat(1.0f / square_root(sum_of_squares(x, 0.0f, d) / static_cast<float>(d) + eps));
  for (int64_t i = 0; i < whole; i += 16) store(out + i, load(x + i) * inverse * load(weight + i));
  if (rest > 0) store(out + whole, load(x + whole, rest) * inverse * load(weight + whole, rest), rest);
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t d, float* out) {
  const int64_t whole = d / 16 * 16, rest = d - whole;
  const float mean = sum_of(x, d) / static_cast<float>(d);
  const Vec inverse = splat(1.0f / square_root(sum_of_squares(x, mean, d) / static_cast<float>(d) + eps));
  const Vec centre = splat(mean);
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec unit = (load(x + i) - centre) * inverse, w = load(weight + i);
    store(out + i, bias != nullptr ? fma(unit, w, load(bias + i)) : unit * w);
  }
  if (rest > 0) {
    const Vec unit = (load(x + whole, rest) - centre) * inverse, w = load(weight + whole, rest);
    store(out + whole, bias != nullptr ? fma(unit, w, load(bias + whole, rest)) : unit * w, rest);
  }
}

void normalise(const float* x, int64_t d, float* out) {
  const int64_t whole = d / 16 * 16, rest = d - whole;
  const float length = square_root(sum_of_squares(x, 0.0f, d));
  const Vec divisor = splat(length > 0.0f ? length : 1.0f);
  for (int64_t i = 0; i < whole; i += 16) store(out + i, load(x + i) / divisor);
  if (rest > 0) store(out + whole, load(x + whole, rest) / divisor, rest);
}

}  // namespace

void fill_norm(KernelTable& table) {
  table.rms_norm = rms_norm;
  table.layer_norm = layer_norm;
  table.normalise = normalise;
}

}  // namespace fovea::FOVEA_TIER
