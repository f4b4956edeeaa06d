// Packed matrices, and rows that were made of blocks of small integers, in a file, to be mapped instead of made again:
// loading then takes what reading takes, and processes that load one model share its memory.
//
// A safetensors file with a tensor of bytes for each, as the backend's kernels read them. Whoever names the file
// sees to it that it belongs to these weights, this dtype and this version of Fovea.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "ops/ops.h"

namespace fovea {

class PackedCache {
 public:
  enum class State { kRead, kWritten, kFailed };

  // Reads the file if there is a sound one, else begins it.
  explicit PackedCache(const std::string& path);

  // The matrix under that name, which stays valid as long as the cache; or null.
  std::unique_ptr<PackedMatrix> find(Ops& ops, const std::string& name, int64_t n, int64_t k, DType dtype,
                                     Outputs outputs) const;
  // The bytes under that name, which stay valid as long as the cache; none unless there are so many.
  std::span<const std::byte> find(const std::string& name, size_t n_bytes) const;
  // Puts something into a file that was begun. One that cannot be written is given up, and no error.
  void keep(const std::string& name, const PackedMatrix& matrix) { keep(name, matrix.storage()); }
  void keep(const std::string& name, std::span<const std::byte> bytes);
  // All has been kept: the file may be read from now on.
  void finish();

  State state() const { return state_; }

 private:
  template <typename F>
  void write(F&& action);

  std::optional<SafetensorsFolder> file_;
  std::unique_ptr<SafetensorsWriter> writer_;
  State state_ = State::kRead;
};

}  // namespace fovea
