// Scratch of the running thread: grows to the largest request and goes with the thread.
#pragma once

#include <array>

#include "base/aligned.h"

namespace fovea {

enum class Scratch { kGemm, kPanels, kQueries, kScores, kSums, kRounded, kKeys, kGated, kCount };

// count floats on a 64-byte boundary, valid until the same thread asks for the same scratch again. Contents undefined.
inline float* scratch(Scratch which, int64_t count) {
  thread_local std::array<AlignedBuffer, static_cast<size_t>(Scratch::kCount)> buffers;
  AlignedBuffer& buffer = buffers[static_cast<size_t>(which)];
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  if (buffer.bytes() < bytes) {
    buffer = AlignedBuffer();  // give back before taking: never both at once
    buffer = AlignedBuffer(bytes);
  }
  return buffer.as<float>();
}

}  // namespace fovea
