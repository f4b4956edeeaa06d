// Takes tensors out of model files into the backend: checks names and shapes, converts, packs, counts.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/tensor_source.h"
#include "model/packed_cache.h"
#include "ops/device_array.h"
#include "ops/ops.h"

namespace fovea {

// A convolution over t frames as matrices, in f32 whatever other weights are in: rounding sums would change them.
struct PatchMatrices {
  std::unique_ptr<PackedMatrix> still;   // (n, c * p * p), the sum over frames, for a picture that stands still
  std::unique_ptr<PackedMatrix> moving;  // (n, t * c * p * p), for frames of a video
};

class Weights {
 public:
  // How coarse the quantising dtypes may make a matrix.
  enum class Coarsest { kAsFiled, kInt8, kInt4 };

  // dtype: "auto" keeps each matrix as the file has it, and one that the file has in blocks of small integers as f16,
  // which loses less of it than bf16 does (docs/models.md); "f32", "bf16", "f16" convert; "int8" and "int4" quantise as
  // far as each matrix bears. on_progress gets the share of the file taken so far, before every tensor; what it throws
  // ends the load. cache: packed matrices of these very files and this dtype, which lives as long as they do, or null.
  Weights(Ops& ops, const TensorSource& files, const std::string& dtype, std::function<void(double)> on_progress = {},
          PackedCache* cache = nullptr);

  // The first prefix under which `probe` exists; checkpoints of different ages spell the same parts differently.
  // Throws kModelFormat listing what was tried.
  std::string prefix_of(const std::string& probe, const std::vector<std::string>& prefixes) const;

  bool has(const std::string& name) const { return files_.has(name); }

  // (n) as f32, plus `more` each: Gemma's norms multiply by 1 + weight.
  DeviceArray vector(const std::string& name, int64_t n, float more = 0);
  // The same if `present`, else empty.
  DeviceArray vector_if(bool present, const std::string& name, int64_t n);
  // Several (n_i) stacked, as f32, if `present`.
  DeviceArray vectors_if(bool present, const std::vector<std::string>& names, int64_t n_each);
  // (1, m, n) as f32 (m, n).
  DeviceArray one_of_rows(const std::string& name, int64_t m, int64_t n);
  // (m, n) as f32.
  DeviceArray rows(const std::string& name, int64_t m, int64_t n);
  // The same in the host's memory.
  std::vector<float> host_rows(const std::string& name, int64_t m, int64_t n);
  // (n, k) packed.
  std::unique_ptr<PackedMatrix> matrix(const std::string& name, int64_t n, int64_t k,
                                       Coarsest coarsest = Coarsest::kInt8);
  // Two (n_each, k) packed for Ops::linear_gated.
  std::unique_ptr<PackedMatrix> gated(const std::string& gate, const std::string& up, int64_t n_each, int64_t k,
                                      Coarsest coarsest = Coarsest::kInt8);
  // A convolution's (n, c, p, p) as a matrix (n, c * p * p), packed, never quantised: pixels are all a tower sees.
  std::unique_ptr<PackedMatrix> patch_matrix(const std::string& name, int64_t n, int64_t c, int64_t p);
  // The same of pixels that come one after another, channels together: (n, p * p * c) in the file; or of a convolution
  // that was made of such a matrix, as name.planes.
  std::unique_ptr<PackedMatrix> pixel_matrix(const std::string& name, int64_t n, int64_t c, int64_t p);
  // A convolution of n columns on their own (n, 1, taps) as f32 (taps, n).
  DeviceArray column_taps(const std::string& name, int64_t n, int64_t taps);
  // The convolution (n, c, t, p, p) of t frames, or (n, c, p, p) of the first, and of the others as name.1 and so on.
  PatchMatrices patch_matrices(const std::string& name, int64_t n, int64_t c, int64_t t, int64_t p);
  // (k, n) packed as if it were (n, k): what rows are multiplied by from the right.
  std::unique_ptr<PackedMatrix> transposed(const std::string& name, int64_t k, int64_t n);
  // The rows of one (parts * n_each, k), packed apart.
  std::vector<std::unique_ptr<PackedMatrix>> split(const std::string& name, int64_t parts, int64_t n_each, int64_t k);
  // (m, n) left where it is, in the file's dtype, or as numbers of the matrices' dtype in memory of its own.
  HeldTensor mapped(const std::string& name, int64_t m, int64_t n);

  int64_t parameters() const { return parameters_; }
  int64_t bytes() const { return bytes_; }
  // What most matrices are held as: the dtype asked for, or the file's.
  std::string dtype_held() const { return dtype_ == "auto" ? dtype_name(matrix_dtype_) : dtype_; }

 private:
  // What a matrix is made of.
  struct Parts {
    std::vector<Tensor> parts;  // (n_i, k)
    std::vector<HeldTensor> held;
    std::vector<char> turned;
  };

  // Counts a tensor and returns its facts.
  HeldTensor look(const std::string& name, std::initializer_list<int64_t> shape, DType blocks_as);
  HeldTensor take(const std::string& name, std::initializer_list<int64_t> shape, DType blocks_as);
  DType blocks_as() const;  // what a matrix of blocks is kept as
  // The matrix of that name in the cache; or packed from what make returns. filed: the dtype in the file.
  std::unique_ptr<PackedMatrix> packed(const std::string& name, int64_t n, int64_t k, DType filed, Coarsest coarsest,
                                       const std::function<Parts()>& make, Outputs outputs = Outputs::kPlain);
  DeviceArray widened(const Tensor& tensor, const std::string& name);
  DeviceArray to_f32(const Tensor& tensor, const std::string& name);

  Ops& ops_;
  const TensorSource& files_;
  std::string dtype_;
  std::function<void(double)> on_progress_;
  PackedCache* cache_;
  uint64_t taken_bytes_ = 0;
  DType matrix_dtype_ = DType::kF32;  // of the matrix taken last
  std::set<std::string> taken_;
  int64_t parameters_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace fovea
