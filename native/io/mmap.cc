#include "io/mmap.h"

#include <limits>
#include <utility>

#include "base/error.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include "io/utf8_path.h"
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace fovea {
namespace {

struct Mapping {
  const std::byte* data;
  size_t size;
};

[[noreturn]] void fail_missing(const std::string& path) {
  throw Error(ErrorCode::kModelNotFound, "file not found: " + path);
}

[[noreturn]] void fail_reading(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::kModelFormat, "cannot read " + path + ": " + reason);
}

size_t checked_size(const std::string& path, uint64_t size) {
  if (size == 0) fail_reading(path, "the file is empty");
  if (size > std::numeric_limits<size_t>::max()) fail_reading(path, "the file is larger than the address space");
  return static_cast<size_t>(size);
}

#ifdef _WIN32

struct Handle {
  HANDLE value;
  ~Handle() {
    if (value != nullptr && value != INVALID_HANDLE_VALUE) CloseHandle(value);
  }
};

std::string reason(DWORD code) { return "Windows error " + std::to_string(code); }

Mapping map_file(const std::string& path) {
  const std::filesystem::path wide = utf8_path(path);
  const Handle file{CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.value == INVALID_HANDLE_VALUE) {
    const DWORD code = GetLastError();
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) fail_missing(path);
    fail_reading(path, reason(code));
  }
  LARGE_INTEGER length;
  if (!GetFileSizeEx(file.value, &length)) fail_reading(path, reason(GetLastError()));
  const size_t size = checked_size(path, static_cast<uint64_t>(length.QuadPart));
  const Handle mapping{CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  if (mapping.value == nullptr) fail_reading(path, reason(GetLastError()));
  const void* data = MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0);
  if (data == nullptr) fail_reading(path, reason(GetLastError()));
  return {static_cast<const std::byte*>(data), size};
}

void unmap(const std::byte* data, size_t) { UnmapViewOfFile(data); }

void forget(const std::byte*, size_t) {}  // pages of files are the system's to take

#else

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) close(value);
  }
};

Mapping map_file(const std::string& path) {
  // Non-blocking, so that opening a pipe returns and can be refused below.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) {
    if (errno == ENOENT || errno == ENOTDIR) fail_missing(path);
    fail_reading(path, std::strerror(errno));
  }
  struct stat status;
  if (fstat(file.value, &status) != 0) fail_reading(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail_reading(path, "not a regular file");
  const size_t size = checked_size(path, static_cast<uint64_t>(status.st_size));
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) fail_reading(path, std::strerror(errno));
  return {static_cast<const std::byte*>(data), size};
}

void unmap(const std::byte* data, size_t size) { munmap(const_cast<std::byte*>(data), size); }

void forget(const std::byte* data, size_t size) { madvise(const_cast<std::byte*>(data), size, MADV_DONTNEED); }

#endif

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const Mapping mapping = map_file(path);
  data_ = mapping.data;
  size_ = mapping.size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) unmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::give_back() const { forget(data_, size_); }

}  // namespace fovea
