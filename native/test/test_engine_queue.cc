// The engine under many requests, cancellations and stops, from several threads: every request ends exactly once.
#include <atomic>
#include <semaphore>
#include <thread>
#include <utility>

#include "test/engine_listener.h"

namespace fovea::test {

TEST("Engine: threads that submit and cancel at once get one end for each request") {
  constexpr uint32_t kThreads = 4, kEach = 30;
  Listener listener;
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&listener, thread] {
      for (uint32_t i = 0; i < kEach; ++i) {
        const uint32_t id = thread * kEach + i;
        if (i % 5 == 4)
          listener.engine().forward(id, forward_request(id));
        else
          listener.engine().generate(id, mixed_request(id, 15));
        if (i % 3 == 1) listener.engine().cancel(id);
        listener.engine().cancel(100000 + id);  // unknown
      }
    });
  for (std::thread& thread : threads) thread.join();
  REQUIRE(listener.wait_for(size_t{kThreads} * kEach));
  for (uint32_t id = 0; id < kThreads * kEach; ++id) {
    const auto said = listener.said(id);
    CHECK(ended_once(said));
    if (id % kEach % 3 != 1) CHECK(said.finish_reason == "length" || said.finish_reason == "forward");
    listener.engine().cancel(id);  // ended already
  }
}

TEST("Engine: a running request stops at the token that it is cancelled at") {
  Listener listener([](Engine& engine, const Event& event) {
    if (event.request == 1 && std::holds_alternative<TokensReport>(event.body)) engine.cancel(1);
  });
  listener.engine().generate(1, image_request(2, 200));
  listener.engine().generate(2, image_request(4, 20));
  REQUIRE(listener.wait_for(2));
  CHECK(ended_once(listener.said(1)));
  CHECK_EQ(listener.said(1).finish_reason, "cancelled");
  CHECK_EQ(listener.said(1).tokens.size(), size_t{1});
  CHECK_EQ(listener.said(1).end.generated_tokens, 1);
  CHECK_EQ(listener.said(2).finish_reason, "length");
  CHECK_EQ(listener.said(2).tokens.size(), size_t{20});
}

TEST("Engine: a waiting request is cancelled without running") {
  bool done = false;  // engine thread only
  Listener listener([&](Engine& engine, const Event& event) {
    if (event.request != 1 || done) return;
    done = true;  // the engine is here, so nothing of these can have started
    engine.generate(2, image_request(2, 50));
    engine.forward(3, forward_request(3));
    engine.generate(4, image_request(4, 5));
    engine.cancel(2);
    engine.cancel(3);
  });
  listener.engine().generate(1, text_request(1, 30));
  REQUIRE(listener.wait_for(4));
  for (uint32_t id = 1; id <= 4; ++id) CHECK(ended_once(listener.said(id)));
  CHECK_EQ(listener.said(2).finish_reason, "cancelled");
  CHECK(listener.said(2).tokens.empty());
  CHECK(listener.said(2).end.kv_rows.empty());
  CHECK(listener.said(3).error == ErrorCode::kDisposed);
  CHECK_EQ(listener.said(1).finish_reason, "length");
  CHECK_EQ(listener.said(4).finish_reason, "length");
}

TEST("Engine: stop() while busy ends every request once; afterwards it refuses") {
  constexpr uint32_t kRequests = 40;
  std::binary_semaphore running(0);
  bool told = false;  // engine thread only
  Listener listener([&](Engine&, const Event&) {
    if (!told) running.release();
    told = true;
  });
  for (uint32_t id = 0; id < kRequests; ++id) {
    if (id % 8 == 7)
      listener.engine().forward(id, forward_request(id));
    else
      listener.engine().generate(id, mixed_request(id, 200));
  }
  running.acquire();
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 3; ++i) stoppers.emplace_back([&] { listener.engine().stop(); });
  for (std::thread& thread : stoppers) thread.join();
  int cancelled = 0;
  for (uint32_t id = 0; id < kRequests; ++id) {
    CHECK(ended_once(listener.said(id)));
    cancelled += listener.said(id).finish_reason == "cancelled";
  }
  CHECK(cancelled > 0);
  listener.engine().stop();
  listener.engine().cancel(1);
  CHECK_THROWS(ErrorCode::kDisposed, listener.engine().generate(99, text_request(1, 1)));
  CHECK_THROWS(ErrorCode::kDisposed, listener.engine().forward(99, forward_request(1)));
  CHECK_EQ(listener.said(99).ends, 0);
}

TEST("Engine: requests submitted while others stop it end once or are refused") {
  for (int round = 0; round < 5; ++round) {
    Listener listener;
    std::atomic<uint32_t> taken = 0;
    std::thread submitter([&] {
      try {
        for (uint32_t id = 0; id < 2000; ++id) {
          listener.engine().generate(id, text_request(id, 3));
          taken = id + 1;
        }
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kDisposed);
      }
    });
    while (taken.load() < 3) std::this_thread::yield();
    listener.engine().stop();
    submitter.join();
    for (uint32_t id = 0; id < taken.load(); ++id) CHECK(ended_once(listener.said(id)));
  }
}

TEST("Engine: a full queue refuses politely and empties again") {
  constexpr uint32_t kQueue = 4096;
  std::binary_semaphore arrived(0), go_on(0);
  bool held = false;  // engine thread only
  Listener listener([&](Engine&, const Event&) {
    if (std::exchange(held, true)) return;
    arrived.release();
    go_on.acquire();
  });
  listener.engine().generate(0, text_request(0, 2));
  arrived.acquire();  // the engine waits in its first event: nothing leaves the queue
  for (uint32_t id = 1; id <= kQueue; ++id) listener.engine().generate(id, text_request(id, 1));
  CHECK_THROWS(ErrorCode::kInvalidArgument, listener.engine().generate(kQueue + 1, text_request(0, 1)));
  CHECK_THROWS(ErrorCode::kInvalidArgument, listener.engine().forward(kQueue + 1, forward_request(0)));
  for (uint32_t id = 100; id <= kQueue; ++id) listener.engine().cancel(id);
  go_on.release();
  REQUIRE(listener.wait_for(kQueue + 1));
  int once = 0;
  for (uint32_t id = 0; id <= kQueue; ++id) once += ended_once(listener.said(id));
  CHECK_EQ(once, static_cast<int>(kQueue) + 1);
  CHECK_EQ(listener.said(99).finish_reason, "length");
  CHECK_EQ(listener.said(100).finish_reason, "cancelled");
}

}  // namespace fovea::test
