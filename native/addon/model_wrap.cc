#include "addon/model_wrap.h"

#include <utility>

#include "addon/addon_data.h"
#include "addon/convert.h"

namespace fovea {
namespace {

// Joins the engine's thread off the event loop.
class DisposeWorker : public Napi::AsyncWorker {
 public:
  DisposeWorker(Napi::Env env, std::shared_ptr<Engine> engine)
      : AsyncWorker(env, "fovea dispose"), engine_(std::move(engine)), deferred_(env) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { engine_->stop(); }
  void OnOK() override { deferred_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  std::shared_ptr<Engine> engine_;
  Napi::Promise::Deferred deferred_;
};

Napi::Object first_object(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw Error(ErrorCode::kInvalidArgument, "the request must be an object");
  return info[0].As<Napi::Object>();
}

}  // namespace

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {InstanceMethod<&ModelWrap::info>("info"), InstanceMethod<&ModelWrap::generate>("generate"),
                      InstanceMethod<&ModelWrap::forward>("forward"), InstanceMethod<&ModelWrap::cancel>("cancel"),
                      InstanceMethod<&ModelWrap::answer>("answer"), InstanceMethod<&ModelWrap::dispose>("dispose")});
}

ModelWrap::ModelWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  with_js_errors(info.Env(), [&] {
    if (info.Length() != 3 || !info[0].IsExternal() || !info[1].IsNumber() || !info[2].IsNumber())
      throw Error(ErrorCode::kInvalidArgument, "models come from load(), not from new");
    auto& model = *info[0].As<Napi::External<std::unique_ptr<Model>>>().Data();
    facts_ = Napi::Persistent(to_js(info.Env(), *model));
    weight_bytes_ = model->weight_bytes;
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), weight_bytes_);
    const auto bytes = [&](size_t i) { return static_cast<size_t>(info[i].As<Napi::Number>().Int64Value()); };
    engine_ = AddonData::of(info.Env()).make_engine(std::move(model), {bytes(1), bytes(2)});
  });
}

ModelWrap::~ModelWrap() { release_memory(); }

void ModelWrap::release_memory() {
  Napi::MemoryManagement::AdjustExternalMemory(Env(), -std::exchange(weight_bytes_, 0));
}

Napi::Object wrap_model(Napi::Env env, std::unique_ptr<Model> model, CacheBytes cache_bytes) {
  return AddonData::of(env).model_class.New({Napi::External<std::unique_ptr<Model>>::New(env, &model),
                                             Napi::Number::New(env, static_cast<double>(cache_bytes.images)),
                                             Napi::Number::New(env, static_cast<double>(cache_bytes.kv))});
}

Napi::Value ModelWrap::info(const Napi::CallbackInfo&) { return facts_.Value(); }

// Counts a request, then queues it: queueing may throw, and a request that was never queued must not be waited for.
template <typename Queue>
Napi::Value ModelWrap::submit(const Napi::CallbackInfo& info, Queue&& queue) {
  return with_js_errors(info.Env(), [&]() -> Napi::Value {
    const Napi::Object object = first_object(info);
    AddonData& addon = AddonData::of(info.Env());
    const uint32_t id = addon.begin_request();
    try {
      queue(id, object);
    } catch (...) {
      addon.abandon_request();
      throw;
    }
    return Napi::Number::New(info.Env(), id);
  });
}

Napi::Value ModelWrap::generate(const Napi::CallbackInfo& info) {
  return submit(info,
                [&](uint32_t id, const Napi::Object& object) { engine_->generate(id, to_generate_request(object)); });
}

Napi::Value ModelWrap::forward(const Napi::CallbackInfo& info) {
  return submit(info,
                [&](uint32_t id, const Napi::Object& object) { engine_->forward(id, to_forward_request(object)); });
}

Napi::Value ModelWrap::cancel(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) engine_->cancel(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value ModelWrap::answer(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsNumber() || !info[1].IsTypedArray() ||
        info[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
      throw Error(ErrorCode::kInvalidArgument, "an answer is a request's number and a Float64Array");
    const auto values = info[1].As<Napi::Float64Array>();
    engine_->answer(info[0].As<Napi::Number>().Uint32Value(), {values.Data(), values.Data() + values.ElementLength()});
    return info.Env().Undefined();
  });
}

Napi::Value ModelWrap::dispose(const Napi::CallbackInfo& info) {
  auto* worker = new DisposeWorker(info.Env(), engine_);  // deletes itself
  worker->Queue();
  release_memory();
  return worker->promise();
}

}  // namespace fovea
