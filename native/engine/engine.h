// A model at work: one thread that owns it, a queue of requests before it. Generations decode together, one row each
// per step; a newcomer is prefilled between two steps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "engine/generation.h"
#include "engine/request.h"
#include "model/model.h"

namespace fovea {

// Of what earlier requests leave for later ones.
struct CacheBytes {
  size_t images = 0;  // their rows behind the projector
  size_t kv = 0;      // keys and values
};

class Engine {
 public:
  // emit is called on the engine's thread; it must not block and not throw.
  Engine(std::unique_ptr<Model> model, CacheBytes cache_bytes, std::function<void(Event)> emit);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queue a request under an id that the caller has not used before. Every request ends in exactly one EndReport,
  // ForwardReport or ErrorReport; its plan may ask before. Throws kDisposed after stop() and kInvalidArgument when the
  // queue is full.
  void generate(uint32_t id, GenerateRequest request);
  void forward(uint32_t id, ForwardRequest request);

  // Ends a request within one layer or token; unknown ids are ignored: it may have ended already.
  void cancel(uint32_t id);

  // What its caller says to the AskReport of a request; ignored unless that request waits for it. Until then the engine
  // does nothing else.
  void answer(uint32_t id, std::vector<double> values);

  // Cancels everything, joins the thread and frees the model. Idempotent;
  // callable from any thread but the engine's.
  void stop();

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;
  struct ForwardJob {
    uint32_t id;
    ForwardRequest request;
    Flag cancelled;
  };
  using Job = std::variant<std::unique_ptr<Generation>, ForwardJob>;

  void check_open() const;     // with mutex_ held
  Flag add_flag(uint32_t id);  // with mutex_ held
  void submit(Job job);        // with mutex_ held
  void run();
  std::vector<Job> next_jobs();
  void start(Job job);
  void step();
  void step_group(const std::vector<Generation*>& group);
  void step_alone(Generation& generation);
  Asker asker(uint32_t id);
  void flush(Generation& generation);
  void end(uint32_t id, Event event);
  template <typename Work>
  void guarded(uint32_t id, Work&& work);

  std::unique_ptr<Model> model_;
  std::function<void(Event)> emit_;
  std::vector<std::unique_ptr<Generation>> active_;  // engine thread only
  ImageCache image_cache_;                           // engine thread only
  PrefixCache prefix_cache_;                         // engine thread only
  DeviceArray hidden_, logits_;                      // engine thread only

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  std::map<uint32_t, Flag> flags_;             // of every request that has not ended
  std::optional<uint32_t> asking_;             // the request that waits for an answer
  std::optional<std::vector<double>> answer_;  // to it
  bool stopping_ = false;
  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace fovea
