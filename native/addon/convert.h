// Between JavaScript values and the structs of engine/request.h. Shapes of the objects: lib/native/binding.ts.
#pragma once

#include <napi.h>

#include "engine/request.h"
#include "image/preprocess.h"
#include "model/model.h"

namespace fovea {

// A JavaScript Error with `code`.
Napi::Error to_js_error(Napi::Env env, ErrorCode code, const std::string& message);

// Runs work; a fovea::Error or anything else it throws becomes a JavaScript exception with a code.
template <typename Work>
auto with_js_errors(Napi::Env env, Work&& work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    throw to_js_error(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    throw to_js_error(env, ErrorCode::kOutOfMemory, "not enough memory");
  } catch (const std::exception& error) {
    throw to_js_error(env, ErrorCode::kInternal, error.what());
  }
}

// Each throws kInvalidArgument naming the field if a value has another type than binding.ts says.
GenerateRequest to_generate_request(const Napi::Object& object);
ForwardRequest to_forward_request(const Napi::Object& object);
PreprocessSpec to_preprocess_spec(const Napi::Object& object);

Napi::Object to_js(Napi::Env env, Event&& event);
Napi::Object to_js(Napi::Env env, const Model& model);

// Hands memory over to a Float32Array without a copy where the runtime allows it.
Napi::Float32Array to_float32_array(Napi::Env env, std::vector<float>&& data);

}  // namespace fovea
