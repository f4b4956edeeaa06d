#include "base/thread_pool.h"

#include <string>
#include <system_error>

#include "base/cpu.h"
#include "base/error.h"

namespace fovea {
namespace {

constexpr uint32_t kOpen = 1u << 31;
// About 20 to 40 microseconds of PAUSE: longer than the gap between two ops, shorter than a burnt scheduler slice.
constexpr int kSpins = 300;

thread_local bool inside_chunk = false;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Returns once `value` differs from `old`: spins a while, then sleeps.
uint32_t await_change(const std::atomic<uint32_t>& value, uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    pause_briefly();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  // With more threads than cores, a spinning thread keeps another from its work.
  spins_ = threads <= available_cores() ? kSpins : 0;
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    const size_t started = workers_.size();
    stop();
    throw Error(ErrorCode::kOutOfMemory, "the system refused thread " + std::to_string(started + 1) + " of " +
                                             std::to_string(threads) + "; ask for fewer threads");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run(const Loop& loop) {
  if (loop.n_chunks <= 1 || workers_.empty() || inside_chunk) {
    for (int64_t chunk = 0; chunk < loop.n_chunks; ++chunk) loop.call(loop.context, chunk);
    return;
  }
  const std::lock_guard turn(callers_);
  loop_ = loop;
  error_ = nullptr;
  failed_.store(false, std::memory_order_relaxed);
  next_.store(0, std::memory_order_relaxed);
  inside_.store(kOpen, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();

  take_chunks();

  // No more chunks: shut the door, then wait for the workers still inside.
  uint32_t inside = inside_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  while (inside != 0) inside = await_change(inside_, inside, spins_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::take_chunks() {
  inside_chunk = true;
  try {
    while (true) {
      const int64_t chunk = next_.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= loop_.n_chunks) break;
      loop_.call(loop_.context, chunk);
    }
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
    next_.store(loop_.n_chunks, std::memory_order_relaxed);
  }
  inside_chunk = false;
}

bool ThreadPool::join_loop() {
  uint32_t inside = inside_.load(std::memory_order_acquire);
  while ((inside & kOpen) != 0) {
    if (inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void ThreadPool::leave_loop() {
  if (inside_.fetch_sub(1, std::memory_order_acq_rel) == 1) inside_.notify_all();
}

void ThreadPool::work() {
  uint32_t seen = 0;
  while (true) {
    seen = await_change(epoch_, seen, spins_);
    if (stopping_.load(std::memory_order_acquire)) return;
    if (!join_loop()) continue;
    take_chunks();
    leave_loop();
  }
}

}  // namespace fovea
