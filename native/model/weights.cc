#include "model/weights.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "ops/host_copy.h"

namespace fovea {
namespace {

// from (rows, columns) of numbers of `size` bytes to `to` (columns, rows).
void turn(const char* from, int64_t rows, int64_t columns, size_t size, char* to) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      std::memcpy(to + static_cast<size_t>(column * rows + row) * size,
                  from + static_cast<size_t>(row * columns + column) * size, size);
}

}  // namespace

Weights::Weights(Ops& ops, const TensorSource& files, const std::string& dtype, std::function<void(double)> on_progress,
                 PackedCache* cache)
    : ops_(ops), files_(files), dtype_(dtype), on_progress_(std::move(on_progress)), cache_(cache) {
  if (dtype != "auto" && dtype != "f32" && dtype != "bf16" && dtype != "f16" && dtype != "int8" && dtype != "int4")
    throw Error(ErrorCode::kInvalidArgument, "dtype is \"" + dtype + "\"; expected auto, f32, bf16, f16, int8 or int4");
}

std::string Weights::prefix_of(const std::string& probe, const std::vector<std::string>& prefixes) const {
  std::string tried;
  for (const std::string& prefix : prefixes) {
    if (files_.has(prefix + probe)) return prefix;
    tried += (tried.empty() ? "" : ", ") + prefix + probe;
  }
  throw Error(ErrorCode::kModelFormat,
              "the weights hold none of " + tried + "; they are incomplete or of another architecture");
}

DType Weights::blocks_as() const {
  return dtype_ == "f32" ? DType::kF32 : dtype_ == "bf16" ? DType::kBF16 : DType::kF16;
}

HeldTensor Weights::look(const std::string& name, std::initializer_list<int64_t> shape, DType blocks_as) {
  if (on_progress_) on_progress_(static_cast<double>(taken_bytes_) / static_cast<double>(files_.bytes()));
  HeldTensor facts = files_.look(name, shape, blocks_as);
  if (taken_.insert(name).second) {  // a tied head is no second matrix
    parameters_ += facts.tensor.elements();
    taken_bytes_ += facts.file_bytes;
  }
  return facts;
}

HeldTensor Weights::take(const std::string& name, std::initializer_list<int64_t> shape, DType blocks_as) {
  look(name, shape, blocks_as);
  return files_.take(name, shape, blocks_as);
}

std::unique_ptr<PackedMatrix> Weights::packed(const std::string& name, int64_t n, int64_t k, DType filed,
                                              Coarsest coarsest, const std::function<Parts()>& make, Outputs outputs) {
  const bool quantise = dtype_ == "int8" || dtype_ == "int4";
  matrix_dtype_ = dtype_ == "auto" || (quantise && coarsest == Coarsest::kAsFiled) ? filed
                  : !quantise                                                      ? blocks_as()
                  : dtype_ == "int4" && coarsest == Coarsest::kInt4                ? DType::kInt4
                                                                                   : DType::kInt8;
  std::unique_ptr<PackedMatrix> matrix =
      cache_ == nullptr ? nullptr : cache_->find(ops_, name, n, k, matrix_dtype_, outputs);
  if (matrix == nullptr) {
    try {
      // What is packed is not read again: a load must not take the file's size on top of the weights'.
      matrix = ops_.pack(make().parts, matrix_dtype_, outputs, [&] { files_.give_back(); });
    } catch (const Error& error) {
      throw Error(error.code(), "weight " + name + ": " + error.what());
    }
    if (cache_ != nullptr) cache_->keep(name, *matrix);
  }
  bytes_ += static_cast<int64_t>(matrix->bytes());
  return matrix;
}

// Embedding the rows 0, 1, 2, … converts any dtype to f32 without a second path for it.
DeviceArray Weights::widened(const Tensor& tensor, const std::string& name) {
  const Tensor rows = tensor.rank == 1 ? tensor.as_row() : tensor;
  DeviceArray array;
  const Tensor out = array.resize(ops_, {rows.rows(), rows.row_elements()});
  std::vector<int32_t> ids(static_cast<size_t>(rows.rows()));
  std::iota(ids.begin(), ids.end(), 0);
  ops_.embed(rows, ids, out);
  if (!ops_.all_finite(out))
    throw Error(ErrorCode::kNumeric, "weight " + name + " holds NaN or infinity; the file is damaged");
  if (tensor.rank == 1) array.resize(ops_, {tensor.shape[0]});
  return array;
}

DeviceArray Weights::to_f32(const Tensor& tensor, const std::string& name) {
  DeviceArray array = widened(tensor, name);
  bytes_ += static_cast<int64_t>(array.bytes());
  return array;
}

DeviceArray Weights::vector(const std::string& name, int64_t n, float more) {
  DeviceArray array = to_f32(take(name, {n}, DType::kF32).tensor, name);
  if (more == 0) return array;
  std::vector<float> numbers = host_copy(ops_, array.view());
  for (float& number : numbers) number += more;
  ops_.copy_from_host(numbers.data(), array.view());
  return array;
}

DeviceArray Weights::vector_if(bool present, const std::string& name, int64_t n) {
  return present ? vector(name, n) : DeviceArray();
}

DeviceArray Weights::vectors_if(bool present, const std::vector<std::string>& names, int64_t n_each) {
  DeviceArray stacked;
  if (!present) return stacked;
  const Tensor out = stacked.resize(ops_, {static_cast<int64_t>(names.size()), n_each});
  for (size_t i = 0; i < names.size(); ++i) {
    const DeviceArray part = vector(names[i], n_each);
    ops_.copy(part.view().as_row(), out.slice(static_cast<int64_t>(i), 1));
  }
  stacked.resize(ops_, {out.elements()});
  return stacked;
}

DeviceArray Weights::one_of_rows(const std::string& name, int64_t m, int64_t n) {
  const HeldTensor held = take(name, {1, m, n}, DType::kF32);
  const Tensor& one = held.tensor;
  return to_f32({one.data, one.dtype, one.device, {m, n}}, name);
}

std::vector<float> Weights::host_rows(const std::string& name, int64_t m, int64_t n) {
  return host_copy(ops_, rows(name, m, n).view());
}

DeviceArray Weights::rows(const std::string& name, int64_t m, int64_t n) {
  return to_f32(take(name, {m, n}, DType::kF32).tensor, name);
}

std::unique_ptr<PackedMatrix> Weights::matrix(const std::string& name, int64_t n, int64_t k, Coarsest coarsest) {
  const DType filed = look(name, {n, k}, blocks_as()).tensor.dtype;
  return packed(name, n, k, filed, coarsest, [&] {
    Parts made;
    made.parts.push_back(made.held.emplace_back(files_.take(name, {n, k}, blocks_as())).tensor);
    return made;
  });
}

std::unique_ptr<PackedMatrix> Weights::gated(const std::string& gate, const std::string& up, int64_t n_each, int64_t k,
                                             Coarsest coarsest) {
  const DType filed = look(gate, {n_each, k}, blocks_as()).tensor.dtype;
  look(up, {n_each, k}, blocks_as());
  return packed(
      gate + "*" + up, 2 * n_each, k, filed, coarsest,
      [&] {
        Parts made;
        for (const std::string& name : {gate, up})
          made.parts.push_back(made.held.emplace_back(files_.take(name, {n_each, k}, blocks_as())).tensor);
        return made;
      },
      Outputs::kGated);
}

std::unique_ptr<PackedMatrix> Weights::patch_matrix(const std::string& name, int64_t n, int64_t c, int64_t p) {
  const std::initializer_list<int64_t> shape = {n, c, p, p};
  const DType filed = look(name, shape, blocks_as()).tensor.dtype;
  return packed(name, n, c * p * p, filed, Coarsest::kAsFiled, [&] {
    Parts made;
    made.parts.push_back(
        made.held.emplace_back(files_.take(name, shape, blocks_as())).tensor.reshape_rows({c * p * p}));
    return made;
  });
}

std::unique_ptr<PackedMatrix> Weights::pixel_matrix(const std::string& name, int64_t n, int64_t c, int64_t p) {
  if (const std::string planes = name + ".planes"; has(planes)) return patch_matrix(planes, n, c, p);
  const DType filed = look(name, {n, p * p * c}, blocks_as()).tensor.dtype;
  return packed(name, n, c * p * p, filed, Coarsest::kAsFiled, [&] {
    const HeldTensor held = files_.take(name, {n, p * p * c}, blocks_as());
    const size_t size = element_size(filed), row_bytes = static_cast<size_t>(p * p * c) * size;
    const auto* from = static_cast<const char*>(held.tensor.data);
    Parts made;
    made.turned.resize(static_cast<size_t>(n) * row_bytes);
    for (size_t at = 0; at < made.turned.size(); at += row_bytes)
      turn(from + at, p * p, c, size, made.turned.data() + at);
    made.parts.emplace_back(made.turned.data(), filed, Device::kCpu, std::initializer_list<int64_t>{n, c * p * p});
    return made;
  });
}

DeviceArray Weights::column_taps(const std::string& name, int64_t n, int64_t taps) {
  DeviceArray array = to_f32(take(name, {n, 1, taps}, DType::kF32).tensor.reshape_rows({taps}), name);
  const std::vector<float> numbers = host_copy(ops_, array.view());
  std::vector<float> turned(numbers.size());
  turn(reinterpret_cast<const char*>(numbers.data()), n, taps, sizeof(float), reinterpret_cast<char*>(turned.data()));
  ops_.copy_from_host(turned.data(), array.resize(ops_, {taps, n}));
  return array;
}

PatchMatrices Weights::patch_matrices(const std::string& name, int64_t n, int64_t c, int64_t t, int64_t p) {
  const int64_t area = p * p;
  std::vector<float> sums(static_cast<size_t>(n * c * area), 0.0F), apart(static_cast<size_t>(n * t * c * area));
  const auto add = [&](int64_t row, int64_t channel, int64_t frame, int64_t place, float value) {
    sums[static_cast<size_t>((row * c + channel) * area + place)] += value;
    apart[static_cast<size_t>(((row * t + frame) * c + channel) * area + place)] = value;
  };
  if (files_.has(name + ".1")) {
    for (int64_t frame = 0; frame < t; ++frame) {
      const std::string part = frame == 0 ? name : name + "." + std::to_string(frame);
      const HeldTensor held = take(part, {n, c, p, p}, DType::kF32);
      const std::vector<float> one = host_copy(ops_, widened(held.tensor.reshape_rows({c * area}), part).view());
      for (int64_t i = 0; i < std::ssize(one); ++i)
        add(i / (c * area), i / area % c, frame, i % area, one[static_cast<size_t>(i)]);
    }
  } else {
    const HeldTensor held = take(name, {n, c, t, p, p}, DType::kF32);
    const std::vector<float> all = host_copy(ops_, widened(held.tensor.reshape_rows({c * t * area}), name).view());
    for (int64_t i = 0; i < std::ssize(all); ++i)
      add(i / (c * t * area), i / (t * area) % c, i / area % t, i % area, all[static_cast<size_t>(i)]);
  }
  const auto packed = [&](std::vector<float>& numbers) {
    const Tensor parts[] = {
        Tensor(numbers.data(), DType::kF32, Device::kCpu, {n, static_cast<int64_t>(numbers.size()) / n})};
    auto matrix = ops_.pack(parts, DType::kF32);
    bytes_ += static_cast<int64_t>(matrix->bytes());
    return matrix;
  };
  return {packed(sums), packed(apart)};
}

std::unique_ptr<PackedMatrix> Weights::transposed(const std::string& name, int64_t k, int64_t n) {
  const DType filed = look(name, {k, n}, blocks_as()).tensor.dtype;
  return packed(name, n, k, filed, Coarsest::kInt8, [&] {
    const HeldTensor held = files_.take(name, {k, n}, blocks_as());
    Parts made;
    made.turned.resize(static_cast<size_t>(k * n) * element_size(filed));
    turn(static_cast<const char*>(held.tensor.data), k, n, element_size(filed), made.turned.data());
    made.parts.emplace_back(made.turned.data(), filed, Device::kCpu, std::initializer_list<int64_t>{n, k});
    return made;
  });
}

std::vector<std::unique_ptr<PackedMatrix>> Weights::split(const std::string& name, int64_t parts, int64_t n_each,
                                                          int64_t k) {
  const std::initializer_list<int64_t> shape = {parts * n_each, k};
  const DType filed = look(name, shape, blocks_as()).tensor.dtype;
  HeldTensor all;  // taken for the first part that is not in the cache
  std::vector<std::unique_ptr<PackedMatrix>> matrices;
  for (int64_t part = 0; part < parts; ++part)
    matrices.push_back(packed(name + "#" + std::to_string(part), n_each, k, filed, Coarsest::kInt8, [&] {
      if (all.tensor.empty()) all = files_.take(name, shape, blocks_as());
      return Parts{{all.tensor.slice(part * n_each, n_each)}, {}, {}};
    }));
  return matrices;
}

HeldTensor Weights::mapped(const std::string& name, int64_t m, int64_t n) {
  HeldTensor held = look(name, {m, n}, blocks_as());
  bytes_ += static_cast<int64_t>(held.memory_bytes);
  if (held.tensor.data != nullptr) return held;
  const std::string rows = name + ".rows";  // a head that shares the name has other bytes
  const auto stored = cache_ == nullptr ? std::span<const std::byte>() : cache_->find(rows, held.memory_bytes);
  if (!stored.empty()) {
    held.tensor.data = const_cast<std::byte*>(stored.data());  // read-only by convention, as views of files are
    return held;
  }
  held = files_.take(name, {m, n}, blocks_as());
  if (cache_ != nullptr) cache_->keep(rows, std::span(held.memory.get(), held.memory_bytes));
  return held;
}

}  // namespace fovea
