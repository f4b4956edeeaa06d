// Weights that a plan brings along: gates, routers, thresholds. A file is opened once and kept while it does not
// change.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "ops/ops.h"

namespace fovea {

// A safetensors file. Everything throws kPlan, naming the file, the tensor, what was got and what was expected.
class PlanFile {
 public:
  PlanFile(Ops& ops, std::string path);

  // Rows of a matrix of any height up to kMaxRows.
  int64_t rows_of(const std::string& name) const;
  // (n, k) as the file has it.
  std::shared_ptr<const PackedMatrix> matrix(const std::string& name, int64_t n, int64_t k);
  // The numbers of a tensor of n elements, whatever its shape.
  std::vector<float> numbers(const std::string& name, int64_t n) const;

  static constexpr int64_t kMaxRows = 1 << 16;

 private:
  const Tensor& find(const std::string& name) const;

  Ops& ops_;
  std::string path_;
  std::unique_ptr<SafetensorsFolder> tensors_;
  std::map<std::string, std::shared_ptr<const PackedMatrix>> packed_;
};

class PlanFiles {
 public:
  explicit PlanFiles(Ops& ops) : ops_(ops) {}

  // Throws kPlan if there is no such file or it is damaged.
  std::shared_ptr<PlanFile> open(const std::string& path);

 private:
  struct Opened {
    std::filesystem::file_time_type changed;
    uintmax_t size;
    uint64_t last_use;
    std::shared_ptr<PlanFile> file;
  };

  Ops& ops_;
  std::map<std::string, Opened> opened_;
  uint64_t uses_ = 0;
};

}  // namespace fovea
