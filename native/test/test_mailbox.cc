// The mailbox between the engine's thread and the listener's: nothing lost, nothing reordered, no needless ringing.
#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>

#include "engine/mailbox.h"
#include "test/check.h"

namespace fovea::test {

TEST("Mailbox rings only when it was empty") {
  int rings = 0;
  Mailbox<int> box([&] { ++rings; });
  CHECK(box.drain().empty());
  CHECK_EQ(rings, 0);
  box.push(1);
  CHECK_EQ(rings, 1);
  box.push(2);
  box.push(3);
  CHECK_EQ(rings, 1);
  CHECK(box.drain() == (std::vector<int>{1, 2, 3}));
  CHECK(box.drain().empty());
  box.push(4);
  CHECK_EQ(rings, 2);
  CHECK(box.drain() == (std::vector<int>{4}));
}

TEST("Mailbox: the event is inside when the bell rings, and the bell may drain and push") {
  std::vector<int> seen;
  Mailbox<int>* self = nullptr;
  Mailbox<int> box([&] {
    for (const int event : self->drain()) {
      seen.push_back(event);
      if (event < 3) self->push(event + 1);
    }
  });
  self = &box;
  box.push(0);
  CHECK(seen == (std::vector<int>{0, 1, 2, 3}));
}

TEST("Mailbox takes events that can only be moved") {
  Mailbox<std::unique_ptr<int>> box([] {});
  box.push(std::make_unique<int>(7));
  auto events = box.drain();
  REQUIRE(events.size() == 1);
  CHECK_EQ(*events[0], 7);
}

TEST("Mailbox under threads: every event arrives, each sender's in order, and no ring is missed") {
  struct Event {
    int sender, number;
  };
  constexpr int kSenders = 4, kEach = 5000;
  std::counting_semaphore<> bell(0);
  std::atomic<int> rings{0};
  Mailbox<Event> box([&] {
    ++rings;
    bell.release();
  });
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender)
    senders.emplace_back([&box, sender] {
      for (int i = 0; i < kEach; ++i) box.push({sender, i});
    });
  std::vector<int> next(kSenders, 0);
  int received = 0, in_order = 0;
  // Only a ring wakes this loop: one that is missed ends it early.
  while (received < kSenders * kEach && bell.try_acquire_for(std::chrono::seconds(20))) {
    for (const Event& event : box.drain()) {
      in_order += event.number == next[static_cast<size_t>(event.sender)]++;
      ++received;
    }
  }
  for (std::thread& sender : senders) sender.join();
  CHECK_EQ(received, kSenders * kEach);
  CHECK_EQ(in_order, kSenders * kEach);
  CHECK(rings.load() >= 1 && rings.load() <= kSenders * kEach);
  CHECK(box.drain().empty());
}

}  // namespace fovea::test
