#include "base/aligned.h"

#include <string>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "base/error.h"

namespace fovea {
namespace {

// Asks for pages of 2 MB where they fit: weights are touched once for every token, and pages of 4 KB cost more to get
// than to fill.
void prefer_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  constexpr uintptr_t kPage = uintptr_t{1} << 21;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kPage - 1) & ~(kPage - 1), last = (begin + bytes) & ~(kPage - 1);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a refusal changes nothing.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace

void* aligned_allocate(size_t bytes) {
  // No allocator hands out half the address space; saying so here keeps size arithmetic below it safe.
  constexpr size_t kLimit = SIZE_MAX / 4;
  void* data = bytes > kLimit ? nullptr : ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
  if (data == nullptr)
    throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(bytes) +
                                             " bytes; use a smaller model, fewer images or a shorter prompt");
  prefer_huge_pages(data, bytes);
  return data;
}

}  // namespace fovea
