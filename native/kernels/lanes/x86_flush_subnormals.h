// Floats below the least normal one are zero while one of these lives, as operands and as results.
#pragma once

#include <immintrin.h>

namespace fovea::FOVEA_TIER {
namespace {

class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  unsigned before_;
};

}  // namespace
}  // namespace fovea::FOVEA_TIER
