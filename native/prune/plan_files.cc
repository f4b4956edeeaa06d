#include "prune/plan_files.h"

#include <algorithm>

#include "base/error.h"
#include "io/utf8_path.h"
#include "ops/device_array.h"

namespace fovea {
namespace {

constexpr size_t kMaxFiles = 4;  // held open at once

// Runs fn; what it throws becomes the plan's fault.
template <typename F>
auto of_plan(const std::string& path, F&& fn) {
  try {
    return fn();
  } catch (const Error& error) {
    throw Error(ErrorCode::kPlan, "the plan's file " + path + ": " + error.what());
  }
}

}  // namespace

PlanFile::PlanFile(Ops& ops, std::string path) : ops_(ops), path_(std::move(path)) {
  tensors_ = of_plan(path_, [&] { return std::make_unique<SafetensorsFolder>(SafetensorsFolder::of_file(path_)); });
}

const Tensor& PlanFile::find(const std::string& name) const {
  const Tensor* tensor = of_plan(path_, [&] { return tensors_->find(name); });
  if (tensor == nullptr) throw Error(ErrorCode::kPlan, "the plan's file " + path_ + " has no tensor " + name);
  return *tensor;
}

int64_t PlanFile::rows_of(const std::string& name) const {
  const int64_t rows = find(name).rows();
  if (rows < 1 || rows > kMaxRows)
    throw Error(ErrorCode::kPlan, "the plan's file " + path_ + ": tensor " + name + " has " + std::to_string(rows) +
                                      " rows, expected 1 to " + std::to_string(kMaxRows));
  return rows;
}

std::shared_ptr<const PackedMatrix> PlanFile::matrix(const std::string& name, int64_t n, int64_t k) {
  std::shared_ptr<const PackedMatrix>& packed = packed_[name];
  if (packed == nullptr || packed->outputs() != n || packed->inputs() != k)
    packed = of_plan(path_, [&] {
      const Tensor tensor = tensors_->require(name, {n, k});
      return std::shared_ptr<const PackedMatrix>(ops_.pack({&tensor, 1}, tensor.dtype));
    });
  return packed;
}

std::vector<float> PlanFile::numbers(const std::string& name, int64_t n) const {
  const Tensor& tensor = find(name);
  if (tensor.elements() != n)
    throw Error(ErrorCode::kPlan, "the plan's file " + path_ + ": tensor " + name + " has " +
                                      std::to_string(tensor.elements()) + " numbers, expected " + std::to_string(n));
  DeviceArray memory;
  const Tensor row(tensor.data, tensor.dtype, tensor.device, {1, n}), out = memory.resize(ops_, {1, n});
  const int32_t first[] = {0};
  ops_.embed(row, first, out);
  if (!ops_.all_finite(out))
    throw Error(ErrorCode::kPlan, "the plan's file " + path_ + ": tensor " + name + " holds NaN or infinity");
  std::vector<float> numbers(static_cast<size_t>(n));
  ops_.copy_to_host(out, numbers.data());
  return numbers;
}

std::shared_ptr<PlanFile> PlanFiles::open(const std::string& path) {
  const std::filesystem::path where = utf8_path(path);
  std::error_code missing;
  const auto changed = std::filesystem::last_write_time(where, missing);
  const uintmax_t size = missing ? 0 : std::filesystem::file_size(where, missing);
  if (missing) throw Error(ErrorCode::kPlan, "the plan names a file that cannot be read: " + path);
  const auto found = opened_.find(path);
  if (found != opened_.end() && found->second.changed == changed && found->second.size == size) {
    found->second.last_use = ++uses_;
    return found->second.file;
  }
  auto file = std::make_shared<PlanFile>(ops_, path);
  opened_[path] = {changed, size, ++uses_, file};
  if (opened_.size() > kMaxFiles)
    opened_.erase(std::min_element(opened_.begin(), opened_.end(),
                                   [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; }));
  return file;
}

}  // namespace fovea
