#include "io/gguf_tensors.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "base/cpu.h"
#include "base/error.h"
#include "base/thread_pool.h"

namespace fovea {
namespace {

constexpr int64_t kPiece = int64_t{1} << 15;  // numbers, a multiple of every block
constexpr int64_t kLarge = int64_t{1} << 18;

// The dtype of numbers that a file has as such, none for blocks.
std::optional<DType> plain_dtype(GgufType type) {
  if (type == GgufType::kF32) return DType::kF32;
  if (type == GgufType::kF16) return DType::kF16;
  if (type == GgufType::kBF16) return DType::kBF16;
  return std::nullopt;
}

// Row of the file that is row `row` of the tensor.
int64_t row_in_file(int64_t row, int64_t rows_per_head) {
  const int64_t head = row / rows_per_head, at = row % rows_per_head, half = rows_per_head / 2;
  return head * rows_per_head + at % half * 2 + at / half;
}

// Dimensions of one say nothing of the order of numbers: converters leave them out, such as the inputs of a
// convolution that has one for each output.
std::vector<int64_t> without_ones(std::span<const int64_t> shape) {
  std::vector<int64_t> others;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(others), [](int64_t n) { return n != 1; });
  return others;
}

Tensor view_of(std::byte* data, DType dtype, std::span<const int64_t> shape) {
  Tensor tensor(data, dtype, Device::kCpu, {1});
  tensor.rank = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor.shape.begin());
  tensor.row_stride = tensor.row_elements();
  return tensor;
}

}  // namespace

GgufTensors::GgufTensors(std::vector<GgufFile> files, GgufNames names, int threads)
    : files_(std::move(files)), names_(std::move(names)), threads_(threads == 0 ? available_cores() : threads) {
  for (const auto& [name, where] : names_)
    if (const Found found = find(name); found.entry != nullptr) bytes_ += found.entry->end - found.entry->begin;
}

GgufTensors::Found GgufTensors::find(std::string_view name) const {
  const auto where = names_.find(name);
  if (where == names_.end()) return {};
  for (const GgufFile& file : files_)
    if (const GgufEntry* entry = file.entry(where->second.name); entry != nullptr)
      return {&file, entry, &where->second};
  return {nullptr, nullptr, &where->second};
}

HeldTensor GgufTensors::look(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const {
  const auto [file, entry, where] = find(name);
  if (entry == nullptr) {
    std::string searched;
    for (const GgufFile& one : files_) searched += (searched.empty() ? "" : " and ") + one.path();
    const std::string shown = where == nullptr ? std::string(name) : where->name;
    throw Error(ErrorCode::kModelFormat,
                "tensor " + shown + " " + shown_shape({shape.begin(), shape.size()}) + " is missing in " + searched);
  }
  const std::span<const int64_t> wanted(shape.begin(), shape.size());
  if (without_ones(entry->shape) != without_ones(wanted)) require_shape(where->name, entry->shape, shape, file->path());
  const GgufTypeFacts& facts = *gguf_type_facts(static_cast<uint32_t>(entry->type));
  const std::string got =
      "tensor " + where->name + " in " + file->path() + " is " + facts.name + " " + shown_shape(entry->shape);
  const auto refuse = [&got](const std::string& expected) {
    throw Error(ErrorCode::kModelUnsupported, got + ", expected " + expected);
  };
  if (!facts.readable) refuse("F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K");
  const std::optional<DType> plain = plain_dtype(entry->type);
  const DType dtype = plain.value_or(blocks_as);
  const std::byte* data = file->data(*entry);
  // Views are read-only by convention: the pages are mapped without write permission.
  HeldTensor held{view_of(const_cast<std::byte*>(data), dtype, wanted), nullptr, 0, entry->end - entry->begin};
  const int64_t heads = where->interleaved_heads;
  const bool is_aligned = reinterpret_cast<uintptr_t>(data) % element_size(dtype) == 0;
  if (where->added != 0 && entry->type != GgufType::kF32) refuse("F32");
  if (plain && heads == 0 && where->added == 0 && is_aligned) return held;
  // Row by row where rows change places, as one row where not; and a row in pieces of whole blocks.
  const int64_t rows = heads == 0 ? 1 : held.tensor.shape[0], numbers = held.tensor.elements() / rows;
  if (heads != 0 && rows % (2 * heads) != 0) refuse(std::to_string(heads) + " heads of an even number of rows");
  if (numbers % facts.block != 0) refuse("rows of whole blocks");
  held.tensor.data = nullptr;
  held.memory_bytes = static_cast<uint64_t>(held.tensor.elements()) * element_size(dtype);
  return held;
}

HeldTensor GgufTensors::take(std::string_view name, std::initializer_list<int64_t> shape, DType blocks_as) const {
  HeldTensor held = look(name, shape, blocks_as);
  if (held.tensor.data != nullptr) return held;
  const auto [file, entry, where] = find(name);
  const GgufTypeFacts& facts = *gguf_type_facts(static_cast<uint32_t>(entry->type));
  const bool plain = plain_dtype(entry->type).has_value();
  const DType dtype = held.tensor.dtype;
  const std::byte* data = file->data(*entry);
  const int64_t heads = where->interleaved_heads;
  const int64_t rows = heads == 0 ? 1 : held.tensor.shape[0], numbers = held.tensor.elements() / rows;
  held.memory = std::make_unique<std::byte[]>(static_cast<size_t>(held.memory_bytes));
  held.tensor.data = held.memory.get();
  const int64_t pieces = (numbers + kPiece - 1) / kPiece, size = static_cast<int64_t>(element_size(dtype));
  const auto bytes_in_file = [&](int64_t n) { return n / facts.block * facts.block_bytes; };
  std::atomic<bool> fits = true;
  ThreadPool pool(held.tensor.elements() < kLarge ? 1 : threads_);
  pool.parallel_for(rows * pieces, [&](int64_t i) {
    const int64_t row = i / pieces, begin = i % pieces * kPiece, n = std::min(kPiece, numbers - begin);
    const int64_t from = heads == 0 ? row : row_in_file(row, rows / heads);
    const std::byte* source = data + bytes_in_file(from * numbers + begin);
    std::byte* target = held.memory.get() + (row * numbers + begin) * size;
    if (plain) {
      std::memcpy(target, source, static_cast<size_t>(n * size));
    } else if (!dequantise(facts.type, source, n, dtype, target)) {
      fits = false;
    }
  });
  if (where->added != 0) {
    const std::span<float> all(held.tensor.as<float>(), static_cast<size_t>(held.tensor.elements()));
    for (float& number : all) number -= where->added;
  }
  if (!fits)
    throw Error(ErrorCode::kNumeric, "tensor " + where->name + " in " + file->path() +
                                         " holds a weight too large for " + dtype_name(dtype) +
                                         "; load the model as f32");
  return held;
}

}  // namespace fovea
