#include "addon/addon_data.h"

#include <utility>

#include "addon/convert.h"

namespace fovea {

void AddonData::listen(const Napi::Function& on_events) {
  if (mailbox_) throw Error(ErrorCode::kInternal, "listen() was called twice in this environment");
  constexpr size_t kUnbounded = 0;  // a bounded queue could deadlock the join at teardown
  bell_ = std::make_shared<Bell>();
  bell_->doorbell = Doorbell::New(env_, on_events, "fovea doorbell", kUnbounded, 1, this);
  bell_->doorbell.Unref(env_);
  mailbox_ = std::make_shared<Mailbox<Event>>([bell = bell_] {
    const std::lock_guard lock(bell->mutex);
    if (!bell->shut) bell->doorbell.NonBlockingCall();
  });
  Napi::Env(env_).AddCleanupHook([this] { shut_down(); });
}

void AddonData::shut_down() {
  for (const auto& weak : engines_)
    if (const auto engine = weak.lock()) engine->stop();
  const std::lock_guard lock(bell_->mutex);
  bell_->shut = true;
  bell_->doorbell.Release();
}

std::shared_ptr<Mailbox<Event>> AddonData::mailbox() const {
  if (!mailbox_) throw Error(ErrorCode::kInternal, "listen() must be called before a model is loaded");
  return mailbox_;
}

std::shared_ptr<Engine> AddonData::make_engine(std::unique_ptr<Model> model, CacheBytes cache_bytes) {
  auto engine = std::make_shared<Engine>(std::move(model), cache_bytes,
                                         [mailbox = mailbox()](Event event) { mailbox->push(std::move(event)); });
  std::erase_if(engines_, [](const auto& weak) { return weak.expired(); });
  engines_.push_back(engine);
  return engine;
}

uint32_t AddonData::begin_request() {
  if (in_flight_++ == 0) bell_->doorbell.Ref(env_);
  return ++last_request_;
}

void AddonData::request_ended() {
  if (--in_flight_ == 0) bell_->doorbell.Unref(env_);
}

uint32_t AddonData::begin_load(std::shared_ptr<std::atomic<bool>> cancelled) {
  loads_[++last_request_] = std::move(cancelled);
  return last_request_;
}

void AddonData::cancel_load(uint32_t id) {
  if (const auto load = loads_.find(id); load != loads_.end()) load->second->store(true);
}

void AddonData::on_bell(Napi::Env env, Napi::Function listener, AddonData* self, void*) {
  if (env == nullptr || listener == nullptr) return;  // the environment is going down
  std::vector<Event> events = self->mailbox_->drain();
  if (events.empty()) return;
  auto array = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (ends_request(events[i])) self->request_ended();
    array.Set(i, to_js(env, std::move(events[i])));
  }
  listener.Call({array});
}

}  // namespace fovea
