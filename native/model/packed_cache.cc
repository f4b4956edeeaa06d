#include "model/packed_cache.h"

#include "base/error.h"

namespace fovea {
namespace {

std::optional<SafetensorsFolder> open_if_sound(const std::string& path) {
  try {
    return SafetensorsFolder::of_file(path);
  } catch (const Error&) {
    return std::nullopt;  // there is none yet, or it is not what was written: either way a new one takes its place
  }
}

}  // namespace

PackedCache::PackedCache(const std::string& path) : file_(open_if_sound(path)) {
  if (!file_) write([&] { writer_ = std::make_unique<SafetensorsWriter>(path); });
}

std::unique_ptr<PackedMatrix> PackedCache::find(Ops& ops, const std::string& name, int64_t n, int64_t k, DType dtype,
                                                Outputs outputs) const {
  if (!file_) return nullptr;
  const std::span<const std::byte> bytes = file_->stored_bytes(name);
  return bytes.empty() ? nullptr : ops.packed_in(bytes, n, k, dtype, outputs);
}

std::span<const std::byte> PackedCache::find(const std::string& name, size_t n_bytes) const {
  if (!file_) return {};
  const std::span<const std::byte> bytes = file_->stored_bytes(name);
  return bytes.size() == n_bytes ? bytes : std::span<const std::byte>();
}

void PackedCache::keep(const std::string& name, std::span<const std::byte> bytes) {
  if (writer_) write([&] { writer_->add(name, bytes); });
}

void PackedCache::finish() {
  if (!writer_) return;
  write([&] {
    writer_->finish();
    state_ = State::kWritten;
  });
  writer_.reset();
}

template <typename F>
void PackedCache::write(F&& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    writer_.reset();
    state_ = State::kFailed;
  }
}

}  // namespace fovea
