#include "addon/addon_data.h"

#include <utility>

#include "addon/convert.h"

namespace fovea {

void AddonData::listen(const Napi::Function& on_events) {
  if (listening()) throw Error(ErrorCode::kInternal, "listen() was called twice in this environment");
  constexpr size_t kUnbounded = 0;  // a bounded queue could deadlock the join at teardown
  doorbell_ = Doorbell::New(env_, on_events, "fovea doorbell", kUnbounded, 1, this);
  doorbell_.Unref(env_);
  mailbox_ = std::make_shared<Mailbox<Event>>([doorbell = doorbell_]() mutable { doorbell.NonBlockingCall(); });
  Napi::Env(env_).AddCleanupHook([this] { shut_down(); });
}

void AddonData::shut_down() {
  for (const auto& weak : engines_)
    if (const auto engine = weak.lock()) engine->stop();
  doorbell_.Release();
}

std::shared_ptr<Engine> AddonData::make_engine(std::unique_ptr<Model> model) {
  if (!listening()) throw Error(ErrorCode::kInternal, "listen() must be called before a model is loaded");
  auto engine = std::make_shared<Engine>(std::move(model),
                                         [mailbox = mailbox_](Event event) { mailbox->push(std::move(event)); });
  std::erase_if(engines_, [](const auto& weak) { return weak.expired(); });
  engines_.push_back(engine);
  return engine;
}

uint32_t AddonData::begin_request() {
  if (in_flight_++ == 0) doorbell_.Ref(env_);
  return ++last_request_;
}

void AddonData::request_ended() {
  if (--in_flight_ == 0) doorbell_.Unref(env_);
}

void AddonData::on_bell(Napi::Env env, Napi::Function listener, AddonData* self, void*) {
  if (env == nullptr || listener == nullptr) return;  // the environment is going down
  std::vector<Event> events = self->mailbox_->drain();
  if (events.empty()) return;
  auto array = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!std::holds_alternative<TokensReport>(events[i].body)) self->request_ended();
    array.Set(i, to_js(env, std::move(events[i])));
  }
  listener.Call({array});
}

}  // namespace fovea
