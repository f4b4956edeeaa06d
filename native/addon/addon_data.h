// Everything the addon keeps per environment (main thread or worker): there are no mutable statics.
//
// Tokens reach JavaScript through one doorbell: other threads push events into the mailbox, and ring when it was
// empty; the doorbell's callback, on the environment's thread, drains the box and calls the listener once.
//
// Teardown: a thread-safe function deletes itself in a cleanup hook that it registers when it is made. Hooks run in
// reverse order, so ours, registered later, stops and joins every engine thread before the doorbell goes.
#pragma once

#include <napi.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.h"
#include "engine/mailbox.h"

namespace fovea {

class AddonData {
 public:
  explicit AddonData(Napi::Env env) : env_(env) {}

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  void listen(const Napi::Function& on_events);

  // Where other threads put events for the listener. Throws kInternal before listen().
  std::shared_ptr<Mailbox<Event>> mailbox() const;

  // An engine whose events reach the listener, stopped when the environment ends.
  std::shared_ptr<Engine> make_engine(std::unique_ptr<Model> model, CacheBytes cache_bytes);

  // A new request number. The process stays alive until the request has ended.
  uint32_t begin_request();
  // For a request that was never queued.
  void abandon_request() { request_ended(); }

  // A new load, which ends when the flag it is given becomes true.
  uint32_t begin_load(std::shared_ptr<std::atomic<bool>> cancelled);
  void cancel_load(uint32_t id);
  void end_load(uint32_t id) { loads_.erase(id); }

  Napi::FunctionReference model_class;

 private:
  static void on_bell(Napi::Env env, Napi::Function listener, AddonData* self, void* data);
  using Doorbell = Napi::TypedThreadSafeFunction<AddonData, void, on_bell>;

  // The doorbell as other threads hold it: once shut, ringing does nothing.
  struct Bell {
    std::mutex mutex;
    Doorbell doorbell;
    bool shut = false;
  };

  void request_ended();
  void shut_down();

  napi_env env_;
  std::shared_ptr<Bell> bell_;
  std::shared_ptr<Mailbox<Event>> mailbox_;
  std::vector<std::weak_ptr<Engine>> engines_;
  std::map<uint32_t, std::shared_ptr<std::atomic<bool>>> loads_;
  uint32_t last_request_ = 0;
  int64_t in_flight_ = 0;
};

}  // namespace fovea
