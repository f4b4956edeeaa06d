// Fixed workers plus the calling thread share the chunks of one loop at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace fovea {

class ThreadPool {
 public:
  // `threads` counts the caller: 1 makes a pool without workers. Throws kOutOfMemory if the system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls fn(chunk) once for every chunk in [0, n_chunks), in any order and on any thread, and returns when all are
  // done. The first exception of a chunk stops the loop and is thrown here. Several threads may call: they take turns.
  // A call from inside a chunk runs on the spot.
  template <typename F>
  void parallel_for(int64_t n_chunks, F&& fn) {
    using Fn = std::remove_reference_t<F>;
    run({[](void* context, int64_t chunk) { (*static_cast<Fn*>(context))(chunk); },
         const_cast<void*>(static_cast<const void*>(&fn)), n_chunks});
  }

 private:
  struct Loop {
    void (*call)(void* context, int64_t chunk) = nullptr;
    void* context = nullptr;
    int64_t n_chunks = 0;
  };

  void run(const Loop& loop);
  void take_chunks();
  void work();
  bool join_loop();
  void leave_loop();
  void stop();

  std::vector<std::thread> workers_;
  std::mutex callers_;  // held by the thread whose loop is running
  int spins_ = 0;
  Loop loop_;
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};

  // Each on its own cache line: next_ is hammered while the loop runs.
  alignas(64) std::atomic<int64_t> next_{0};
  // Workers inside the loop, plus kOpen while others may still join. The caller waits only for those inside, never
  // for one that is still asleep.
  alignas(64) std::atomic<uint32_t> inside_{0};
  alignas(64) std::atomic<uint32_t> epoch_{0};  // goes up with every loop and at the end
  std::atomic<bool> stopping_{false};
};

}  // namespace fovea
