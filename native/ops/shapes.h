// The shape checks of the op table: a mismatch is a bug in the caller, reported with the op and all shapes.
#pragma once

#include <initializer_list>
#include <string>

#include "tensor/tensor.h"

namespace fovea {

// "f32 (3, 4)", with "stride 8" if the rows are not adjacent, or "none".
std::string describe(const Tensor& tensor);

// Throws kInternal: "linear: x f32 (3, 4), w f32 (5, 6): inputs differ".
struct Operand {
  const char* name;
  const Tensor& tensor;
};
void require_shapes(bool valid, const char* op, const char* rule, std::initializer_list<Operand> operands);

// A host tensor of f32 and this rank whose rows do not overlap.
bool is_f32(const Tensor& tensor, int rank);
bool same_shape(const Tensor& a, const Tensor& b);

}  // namespace fovea
