// The addon's exports; lib/native/binding.ts documents them.
#include <napi.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "addon/addon_data.h"
#include "addon/convert.h"
#include "addon/fields.h"
#include "addon/json_to_js.h"
#include "addon/model_wrap.h"
#include "base/cpu.h"
#include "image/pad.h"
#include "kernels/select.h"
#include "model/gguf/gguf_model.h"

namespace fovea {
namespace {

// Runs work on a libuv thread and settles a promise with what it made.
template <typename Result>
class PromiseWorker : public Napi::AsyncWorker {
 public:
  PromiseWorker(Napi::Env env, const char* name) : AsyncWorker(env, name), deferred_(env) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  virtual Result work() = 0;
  virtual Napi::Value to_value(Result&& result) = 0;

 private:
  void Execute() override {
    try {
      result_ = work();
    } catch (const Error& error) {
      code_ = error.code();
      SetError(error.what());
    } catch (const std::bad_alloc&) {
      code_ = ErrorCode::kOutOfMemory;
      SetError("not enough memory");
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    try {
      deferred_.Resolve(to_value(std::move(*result_)));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }
  void OnError(const Napi::Error& error) override {
    deferred_.Reject(to_js_error(Env(), code_, error.Message()).Value());
  }

  Napi::Promise::Deferred deferred_;
  std::optional<Result> result_;
  ErrorCode code_ = ErrorCode::kInternal;
};

class LoadWorker final : public PromiseWorker<std::unique_ptr<Model>> {
 public:
  LoadWorker(Napi::Env env, std::string path, LoadOptions options, CacheBytes cache_bytes)
      : PromiseWorker(env, "fovea load"),
        path_(std::move(path)),
        options_(std::move(options)),
        cache_bytes_(cache_bytes),
        id_(AddonData::of(env).begin_load(cancelled_)) {
    options_.on_progress = [id = id_, cancelled = cancelled_, mailbox = AddonData::of(env).mailbox()](double fraction) {
      if (*cancelled) throw Error(ErrorCode::kInvalidArgument, "the load was cancelled");
      mailbox->push({id, ProgressReport{fraction}});
    };
  }
  ~LoadWorker() override { AddonData::of(Env()).end_load(id_); }

  uint32_t id() const { return id_; }

 private:
  std::unique_ptr<Model> work() override { return load_model(path_, options_); }
  Napi::Value to_value(std::unique_ptr<Model>&& model) override {
    return wrap_model(Env(), std::move(model), cache_bytes_);
  }

  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::string path_;
  LoadOptions options_;
  CacheBytes cache_bytes_;
  uint32_t id_;
};

// What a pair of GGUF files says of a model.
struct GgufText {
  Json config, decoder, mmproj;
};

class GgufWorker final : public PromiseWorker<GgufText> {
 public:
  GgufWorker(Napi::Env env, std::string decoder, std::string mmproj)
      : PromiseWorker(env, "fovea read gguf"), decoder_(std::move(decoder)), mmproj_(std::move(mmproj)) {}

 private:
  GgufText work() override {
    const GgufFile decoder(decoder_), mmproj(mmproj_);
    return {describe_gguf(decoder, mmproj).config, decoder.metadata(), mmproj.metadata()};
  }
  Napi::Value to_value(GgufText&& text) override {
    auto object = Napi::Object::New(Env());
    object.Set("config", to_js(Env(), text.config));
    object.Set("decoder", to_js(Env(), text.decoder));
    object.Set("mmproj", to_js(Env(), text.mmproj));
    return object;
  }

  std::string decoder_, mmproj_;
};

Napi::Value to_array(Napi::Env env, std::vector<float>&& data) { return to_float32_array(env, std::move(data)); }

Napi::Value to_array(Napi::Env env, std::vector<uint8_t>&& data) {
  auto array = Napi::Uint8Array::New(env, data.size());
  std::copy(data.begin(), data.end(), array.Data());
  return array;
}

// One picture: width * height * 3 levels.
struct Picture {
  Napi::Uint8Array rgb;
  int64_t width, height;
};

// Work on one picture that makes numbers of type T of it.
template <typename T>
class PictureWorker final : public PromiseWorker<std::vector<T>> {
 public:
  using Work = std::function<std::vector<T>(std::span<const uint8_t> rgb)>;

  PictureWorker(const char* name, const Napi::Uint8Array& rgb, Work work)
      : PromiseWorker<std::vector<T>>(rgb.Env(), name),
        alive_(Napi::Reference<Napi::Uint8Array>::New(rgb, 1)),
        rgb_(rgb.Data(), rgb.ElementLength()),
        work_(std::move(work)) {}

 private:
  std::vector<T> work() override { return work_(rgb_); }
  Napi::Value to_value(std::vector<T>&& numbers) override { return to_array(this->Env(), std::move(numbers)); }

  Napi::Reference<Napi::Uint8Array> alive_;  // the levels are read in place
  std::span<const uint8_t> rgb_;
  Work work_;
};

template <typename Worker>
Napi::Value queue(Worker* worker) {  // deletes itself
  worker->Queue();
  return worker->promise();
}

Napi::Value listen(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsFunction()) throw Error(ErrorCode::kInvalidArgument, "listen() takes a function");
    AddonData::of(info.Env()).listen(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

size_t bytes_field(const Napi::Object& object, const char* key) {
  const int64_t bytes = int_field(object, key);
  if (bytes < 0) refuse_field(key, "an integer of at least 0");
  return static_cast<size_t>(bytes);
}

Napi::Value load(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&] {
    if (!info[0].IsString() || !info[1].IsObject())
      throw Error(ErrorCode::kInvalidArgument, "load() takes a path and options");
    const auto object = info[1].As<Napi::Object>();
    LoadOptions options;
    options.dtype = string_field(object, "dtype");
    options.mmproj = string_field(object, "mmproj");
    options.weight_cache = string_field(object, "weightCache");
    const int64_t threads = int_field(object, "threads");
    if (threads < 0 || threads > 1024) refuse_field("threads", "an integer from 0 (every core) to 1024");
    options.threads = static_cast<int>(threads);
    const CacheBytes cache_bytes{bytes_field(object, "imageCacheBytes"), bytes_field(object, "kvCacheBytes")};
    auto* worker = new LoadWorker(info.Env(), info[0].As<Napi::String>().Utf8Value(), std::move(options), cache_bytes);
    auto started = Napi::Object::New(info.Env());
    started.Set("request", worker->id());
    started.Set("model", queue(worker));
    return started;
  });
}

Napi::Value read_gguf(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&] {
    if (!info[0].IsString() || !info[1].IsString())
      throw Error(ErrorCode::kInvalidArgument, "readGguf() takes the paths of a decoder and of an mmproj");
    return queue(
        new GgufWorker(info.Env(), info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::String>().Utf8Value()));
  });
}

Napi::Value cancel_load(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) AddonData::of(info.Env()).cancel_load(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// The arguments of a call on a picture, whose fourth is an object. expected: all of them, in words.
Picture picture_of(const Napi::CallbackInfo& info, const char* expected) {
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
      !info[1].IsNumber() || !info[2].IsNumber() || !info[3].IsObject())
    throw Error(ErrorCode::kInvalidArgument, expected);
  return {info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Number>().Int64Value(),
          info[2].As<Napi::Number>().Int64Value()};
}

Napi::Value preprocess_image(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&] {
    const auto [rgb, width, height] = picture_of(info, "preprocess() takes a Uint8Array, a width, a height and a spec");
    const PreprocessSpec spec = to_preprocess_spec(info[3].As<Napi::Object>());
    return queue(new PictureWorker<float>(
        "fovea preprocess", rgb,
        [w = width, h = height, spec](std::span<const uint8_t> levels) { return preprocess(levels, w, h, spec); }));
  });
}

Napi::Value resize_image(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&] {
    const auto [rgb, width, height] = picture_of(info, "resize() takes a Uint8Array, a width, a height and a size");
    const auto size = info[3].As<Napi::Object>();
    const int64_t new_width = int_field(size, "width"), new_height = int_field(size, "height");
    const Filter filter = parse_filter(string_field(size, "filter"));
    return queue(new PictureWorker<uint8_t>(
        "fovea resize", rgb, [w = width, h = height, new_width, new_height, filter](std::span<const uint8_t> levels) {
          return resize(levels, w, h, new_width, new_height, filter);
        }));
  });
}

Napi::Value pad_image(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&] {
    const auto [rgb, width, height] = picture_of(info, "pad() takes a Uint8Array, a width, a height and a spec");
    const auto spec = info[3].As<Napi::Object>();
    const Window outer{int_field(spec, "left"), int_field(spec, "top"), int_field(spec, "width"),
                       int_field(spec, "height")};
    const Napi::Array levels = array_field(spec, "fill");
    std::array<uint8_t, 3> fill{};
    for (uint32_t i = 0; i < fill.size(); ++i) {
      const Napi::Value level = levels.Get(i);
      const int64_t value = level.IsNumber() ? level.As<Napi::Number>().Int64Value() : -1;
      if (value < 0 || value > 255) refuse_field("fill", "three levels from 0 to 255");
      fill[i] = static_cast<uint8_t>(value);
    }
    return queue(new PictureWorker<uint8_t>("fovea pad", rgb,
                                            [w = width, h = height, outer, fill](std::span<const uint8_t> levels) {
                                              return pad(levels, w, h, outer, fill);
                                            }));
  });
}

Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  return with_js_errors(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const CpuFeatures& cpu = cpu_features();
    auto features = Napi::Array::New(env);
    for (const auto& [name, present] :
         {std::pair("avx2", cpu.avx2), std::pair("fma", cpu.fma), std::pair("f16c", cpu.f16c),
          std::pair("avx512f", cpu.avx512f), std::pair("avx512bw", cpu.avx512bw), std::pair("avx512dq", cpu.avx512dq),
          std::pair("avx512vl", cpu.avx512vl), std::pair("avx512vnni", cpu.avx512vnni),
          std::pair("avx512bf16", cpu.avx512bf16), std::pair("amx-bf16", cpu.amx_bf16),
          std::pair("amx-int8", cpu.amx_int8)})
      if (present) features.Set(features.Length(), name);
    auto tiers = Napi::Array::New(env);
    for (const std::string& tier : available_tiers()) tiers.Set(tiers.Length(), tier);
    auto object = Napi::Object::New(env);
    object.Set("brand", cpu.brand);
    object.Set("features", features);
    object.Set("tier", std::string(select_kernels("auto").tier));
    object.Set("tiers", tiers);
    object.Set("cores", available_cores());
    return object;
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData(env);  // owned by the environment
  env.SetInstanceData(data);
  data->model_class = Napi::Persistent(ModelWrap::define(env));
  exports.Set("cpuInfo", Napi::Function::New(env, cpu_info));
  exports.Set("listen", Napi::Function::New(env, listen));
  exports.Set("load", Napi::Function::New(env, load));
  exports.Set("readGguf", Napi::Function::New(env, read_gguf));
  exports.Set("cancelLoad", Napi::Function::New(env, cancel_load));
  exports.Set("pad", Napi::Function::New(env, pad_image));
  exports.Set("preprocess", Napi::Function::New(env, preprocess_image));
  exports.Set("resize", Napi::Function::New(env, resize_image));
  return exports;
}

}  // namespace

NODE_API_MODULE(fovea, init)

}  // namespace fovea
