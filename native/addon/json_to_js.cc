#include "addon/json_to_js.h"

namespace fovea {

Napi::Value to_js(Napi::Env env, const Json& json) {
  switch (json.kind()) {
    case Json::Kind::kNull:
      return env.Null();
    case Json::Kind::kBool:
      return Napi::Boolean::New(env, json.boolean());
    case Json::Kind::kNumber:
      return Napi::Number::New(env, json.number());
    case Json::Kind::kString:
      return Napi::String::New(env, json.string());
    case Json::Kind::kArray: {
      const Json::Array& items = json.array();
      auto array = Napi::Array::New(env, items.size());
      for (uint32_t i = 0; i < items.size(); ++i) {
        const Napi::HandleScope scope(env);  // arrays of a vocabulary are long
        array.Set(i, to_js(env, items[i]));
      }
      return array;
    }
    case Json::Kind::kObject: {
      auto object = Napi::Object::New(env);
      for (const auto& [key, value] : json.members()) {
        const Napi::HandleScope scope(env);
        // Defined, not assigned: "__proto__" is a name like any other.
        object.DefineProperty(Napi::PropertyDescriptor::Value(
            Napi::String::New(env, key), to_js(env, value),
            static_cast<napi_property_attributes>(napi_enumerable | napi_configurable | napi_writable)));
      }
      return object;
    }
  }
  return env.Undefined();
}

}  // namespace fovea
