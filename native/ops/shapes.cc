#include "ops/shapes.h"

#include "base/error.h"

namespace fovea {

std::string describe(const Tensor& tensor) {
  if (tensor.rank == 0) return "none";
  std::string text = std::string(dtype_name(tensor.dtype)) + " (";
  for (int i = 0; i < tensor.rank; ++i)
    text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[static_cast<size_t>(i)]);
  text += ")";
  if (!tensor.dense()) text += " stride " + std::to_string(tensor.row_stride);
  return text;
}

void require_shapes(bool valid, const char* op, const char* rule, std::initializer_list<Operand> operands) {
  if (valid) return;
  std::string text = std::string(op) + ": ";
  for (const Operand& operand : operands)
    text += (operand.name == operands.begin()->name ? "" : ", ") + std::string(operand.name) + " " +
            describe(operand.tensor);
  throw Error(ErrorCode::kInternal, text + ": " + rule);
}

bool is_f32(const Tensor& tensor, int rank) {
  if (tensor.dtype != DType::kF32 || tensor.device != Device::kCpu || tensor.rank != rank) return false;
  for (int i = 0; i < rank; ++i)
    if (tensor.shape[static_cast<size_t>(i)] < 0) return false;
  if (tensor.elements() == 0) return true;
  return tensor.data != nullptr && (tensor.rows() <= 1 || tensor.row_stride >= tensor.row_elements());
}

bool same_shape(const Tensor& a, const Tensor& b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; ++i)
    if (a.shape[static_cast<size_t>(i)] != b.shape[static_cast<size_t>(i)]) return false;
  return true;
}

}  // namespace fovea
