#include <numeric>
#include <stdexcept>

#include "base/thread_pool.h"
#include "test/check.h"

namespace fovea::test {

TEST("thread pool: every chunk runs once, over many small loops") {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    CHECK_EQ(pool.threads(), threads);
    for (int round = 0; round < 3000; ++round) {
      std::vector<int> hits(static_cast<size_t>(round % 17), 0);
      pool.parallel_for(static_cast<int64_t>(hits.size()), [&](int64_t i) { ++hits[static_cast<size_t>(i)]; });
      for (const int hit : hits) CHECK_EQ(hit, 1);
    }
  }
}

TEST("thread pool: sleeping workers wake up") {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> sum{0};
    pool.parallel_for(100, [&](int64_t i) { sum += static_cast<int>(i); });
    CHECK_EQ(sum.load(), 4950);
  }
}

TEST("thread pool: an exception reaches the caller, and the pool lives on") {
  ThreadPool pool(3);
  for (int round = 0; round < 300; ++round) {
    CHECK_THROWS(ErrorCode::kNumeric, pool.parallel_for(50, [&](int64_t i) {
      if (i == round % 50) throw Error(ErrorCode::kNumeric, "chunk");
    }));
    std::atomic<int> count{0};
    pool.parallel_for(9, [&](int64_t) { ++count; });
    CHECK_EQ(count.load(), 9);
  }
}

TEST("thread pool: a loop inside a chunk runs on the spot") {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  pool.parallel_for(4, [&](int64_t) { pool.parallel_for(5, [&](int64_t) { ++count; }); });
  CHECK_EQ(count.load(), 20);
}

TEST("thread pool: two pools, and two callers of one pool, at once") {
  ThreadPool a(2), b(3);
  std::atomic<int64_t> total{0};
  const auto use = [&](ThreadPool& pool) {
    for (int round = 0; round < 1000; ++round) pool.parallel_for(8, [&](int64_t i) { total += i; });
  };
  std::vector<std::thread> callers;
  callers.emplace_back([&] { use(a); });
  callers.emplace_back([&] { use(b); });
  callers.emplace_back([&] { use(b); });
  for (std::thread& caller : callers) caller.join();
  CHECK_EQ(total.load(), 3 * 1000 * 28);
}

TEST("thread pool: made and ended many times") {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(4);
    if (i % 2 == 0) pool.parallel_for(4, [](int64_t) {});
  }
}

}  // namespace fovea::test
