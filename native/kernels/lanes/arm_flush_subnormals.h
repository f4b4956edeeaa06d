// Floats below the least normal one are zero while one of these lives, as operands and as results.
#pragma once

#include <cstdint>

namespace fovea::FOVEA_TIER {
namespace {

class FlushSubnormals {
 public:
  FlushSubnormals() : before_(control()) { set_control(before_ | kFlushToZero); }
  ~FlushSubnormals() { set_control(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr uint64_t kFlushToZero = uint64_t{1} << 24;

  static uint64_t control() {
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(uint64_t value) { __asm__ volatile("msr fpcr, %0" ::"r"(value) : "memory"); }

  uint64_t before_;
};

}  // namespace
}  // namespace fovea::FOVEA_TIER
