// Events from the engine thread to whoever listens. Pushing never blocks; the doorbell rings only when the box was
// empty, so that a listener on another thread is woken once for many events.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace fovea {

template <typename Event>
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> ring) : ring_(std::move(ring)) {}

  void push(Event event) {
    bool was_empty;
    {
      const std::lock_guard lock(mutex_);
      was_empty = events_.empty();
      events_.push_back(std::move(event));
    }
    if (was_empty) ring_();
  }

  std::vector<Event> drain() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
  std::function<void()> ring_;
};

}  // namespace fovea
