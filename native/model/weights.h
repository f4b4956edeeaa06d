// Takes tensors out of a model folder into the backend: checks names and shapes, converts, packs, counts.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

class Weights {
 public:
  // dtype: "auto" keeps each matrix as the file has it; "f32", "bf16", "f16" convert. on_progress gets the share of
  // the file taken so far, before every tensor; what it throws ends the load.
  Weights(Ops& ops, const SafetensorsFolder& files, const std::string& dtype,
          std::function<void(double)> on_progress = {});

  // The first prefix under which `probe` exists; checkpoints of different ages spell the same parts differently.
  // Throws kModelFormat listing what was tried.
  std::string prefix_of(const std::string& probe, const std::vector<std::string>& prefixes) const;

  // (n) as f32.
  DeviceArray vector(const std::string& name, int64_t n);
  // The same if `present`, else empty.
  DeviceArray vector_if(bool present, const std::string& name, int64_t n);
  // Several (n_i) stacked, as f32, if `present`.
  DeviceArray vectors_if(bool present, const std::vector<std::string>& names, int64_t n_each);
  // (m, n) as f32.
  DeviceArray rows(const std::string& name, int64_t m, int64_t n);
  // The same in the host's memory.
  std::vector<float> host_rows(const std::string& name, int64_t m, int64_t n);
  // (n, k) packed.
  std::unique_ptr<PackedMatrix> matrix(const std::string& name, int64_t n, int64_t k);
  // Several (n_each, k) stacked and packed.
  std::unique_ptr<PackedMatrix> stacked(const std::vector<std::string>& names, int64_t n_each, int64_t k);
  // A convolution's (n, c, p, p) as a matrix (n, c * p * p), packed.
  std::unique_ptr<PackedMatrix> patch_matrix(const std::string& name, int64_t n, int64_t c, int64_t p);
  // The convolution (n, c, t, p, p) of pictures that stand still for t frames: as a matrix (n, c * p * p), the sum over
  // frames. In f32, whatever the others are in, because rounding the sum would change it.
  std::unique_ptr<PackedMatrix> still_patch_matrix(const std::string& name, int64_t n, int64_t c, int64_t t, int64_t p);
  // The rows of one (parts * n_each, k), packed apart.
  std::vector<std::unique_ptr<PackedMatrix>> split(const std::string& name, int64_t parts, int64_t n_each, int64_t k);
  // (m, n) left where it is, in the file's dtype.
  Tensor mapped(const std::string& name, int64_t m, int64_t n);

  int64_t parameters() const { return parameters_; }
  int64_t bytes() const { return bytes_; }
  DType matrix_dtype() const { return matrix_dtype_; }  // of the matrix taken last

 private:
  Tensor take(const std::string& name, std::initializer_list<int64_t> shape);
  std::unique_ptr<PackedMatrix> pack(const std::vector<Tensor>& parts, const std::string& name);
  DeviceArray widened(const Tensor& tensor, const std::string& name);
  DeviceArray to_f32(const Tensor& tensor, const std::string& name);

  Ops& ops_;
  const SafetensorsFolder& files_;
  std::string dtype_;
  std::function<void(double)> on_progress_;
  uint64_t taken_bytes_ = 0;
  DType matrix_dtype_ = DType::kF32;
  std::set<std::string> taken_;
  int64_t parameters_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace fovea
