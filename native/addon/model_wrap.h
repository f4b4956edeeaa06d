// NativeModel of lib/native/binding.ts: a JavaScript object that owns an engine.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/engine.h"

namespace fovea {

class ModelWrap : public Napi::ObjectWrap<ModelWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  // Made only by wrap_model, which passes an External<std::unique_ptr<Model>>.
  explicit ModelWrap(const Napi::CallbackInfo& info);
  ~ModelWrap() override;

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value answer(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  template <typename Queue>
  Napi::Value submit(const Napi::CallbackInfo& info, Queue&& queue);
  void release_memory();  // tells the garbage collector that the weights are gone

  std::shared_ptr<Engine> engine_;
  Napi::ObjectReference facts_;
  int64_t weight_bytes_ = 0;
};

// A new NativeModel around a loaded model.
Napi::Object wrap_model(Napi::Env env, std::unique_ptr<Model> model, CacheBytes cache_bytes);

}  // namespace fovea
