// Typed members of a JavaScript object, with errors that name them.
#pragma once

#include <napi.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"

namespace fovea {

[[noreturn]] inline void refuse_field(const char* key, const char* expected) {
  throw Error(ErrorCode::kInvalidArgument, std::string(key) + " must be " + expected);
}

inline double number_field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsNumber()) refuse_field(key, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline int64_t int_field(const Napi::Object& object, const char* key) {
  const double value = number_field(object, key);
  if (!(std::fabs(value) <= 9007199254740991.0) || value != std::trunc(value)) refuse_field(key, "an integer");
  return static_cast<int64_t>(value);
}

inline bool bool_field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsBoolean()) refuse_field(key, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

inline std::string string_field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) refuse_field(key, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object_field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsObject()) refuse_field(key, "an object");
  return value.As<Napi::Object>();
}

inline Napi::Array array_field(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsArray()) refuse_field(key, "an array");
  return value.As<Napi::Array>();
}

// A copy of a typed array's elements: JavaScript may detach or change it later.
template <typename T>
std::vector<T> typed_array_field(const Napi::Object& object, const char* key, napi_typedarray_type type,
                                 const char* expected) {
  const Napi::Value value = object.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) refuse_field(key, expected);
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

}  // namespace fovea
