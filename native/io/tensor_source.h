// Where a model's tensors come from, under the names that transformers gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace fovea {

// A tensor and what keeps it alive.
struct HeldTensor {
  Tensor tensor;                        // on the host, dense
  std::unique_ptr<std::byte[]> memory;  // empty where the source itself holds the numbers
  uint64_t memory_bytes = 0;
  uint64_t file_bytes = 0;  // what it takes in the file
};

// Const methods may be called from several threads. Tensors without memory of their own stay valid as long as the
// source.
class TensorSource {
 public:
  TensorSource() = default;
  TensorSource(TensorSource&&) = default;
  TensorSource& operator=(TensorSource&&) = default;
  virtual ~TensorSource() = default;

  virtual bool has(std::string_view name) const = 0;

  // A tensor as the file has it, but for one in blocks of small integers, which comes as `blocks_as`.
  // Throws kModelFormat, naming the tensor, what was got and what was expected, if it is missing or has another shape,
  // kModelUnsupported for types of numbers that Fovea does not read, kNumeric if one does not fit into blocks_as.
  virtual HeldTensor take(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const = 0;

  // The same checks and facts without the numbers, where these would have to be made: the tensor's data is null then.
  virtual HeldTensor look(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const = 0;

  virtual uint64_t bytes() const = 0;  // of the data of all tensors

  // Takes what was read of the files out of memory; tensors stay valid, and are read again when asked for.
  virtual void give_back() const = 0;
};

// "(2, 3)", for messages.
std::string shown_shape(std::span<const int64_t> shape);

// Throws kModelFormat unless the two are the same. where: the file, or what else the tensor is in.
void require_shape(std::string_view name, std::span<const int64_t> got, std::initializer_list<int64_t> expected,
                   const std::string& where);

}  // namespace fovea
