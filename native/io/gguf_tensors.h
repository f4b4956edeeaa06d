// The tensors of GGUF files under other names, in the numbers and the order of rows that Fovea computes with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "io/tensor_source.h"

namespace fovea {

// Where a tensor stands.
struct GgufName {
  std::string name;
  // llama.cpp rotates neighbouring rows of a head, transformers rows half a head apart: so its converter writes rows 0,
  // d/2, 1, d/2 + 1, … of each head of d. How many heads a tensor has of which that is to be undone.
  int64_t interleaved_heads = 0;
  // What its converter adds to each number, which is taken off again: 1 of norms that multiply by 1 + weight. Those are
  // vectors of F32, and no bit is lost on the way there and back.
  float added = 0;
};

using GgufNames = std::map<std::string, GgufName, std::less<>>;  // by the name that a tensor is taken by

class GgufTensors final : public TensorSource {
 public:
  // threads: that read large tensors, 0 for every core. They live no longer than one `take`: starting them costs far
  // less than such a tensor does.
  GgufTensors(std::vector<GgufFile> files, GgufNames names, int threads = 1);

  bool has(std::string_view name) const override { return find(name).entry != nullptr; }
  HeldTensor look(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const override;
  HeldTensor take(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const override;
  uint64_t bytes() const override { return bytes_; }
  void give_back() const override {
    for (const GgufFile& file : files_) file.give_back();
  }

 private:
  struct Found {
    const GgufFile* file = nullptr;
    const GgufEntry* entry = nullptr;
    const GgufName* where = nullptr;
  };
  Found find(std::string_view name) const;

  std::vector<GgufFile> files_;
  GgufNames names_;
  uint64_t bytes_ = 0;
  int threads_;
};

}  // namespace fovea
