// Builds an object of a config from values of a GGUF file's metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "io/json.h"

namespace fovea {

inline Json json_integer(int64_t value) { return Json(Json::Number{static_cast<double>(value), value}); }

class ConfigBuilder {
 public:
  // where: how errors about the members name the object.
  ConfigBuilder(std::string where, bool is_root) : object_(std::make_shared<Json::Object>()) {
    object_->where = std::move(where);
    object_->is_root = is_root;
    object_->code = ErrorCode::kModelFormat;
  }

  void set(const std::string& key, Json value) { object_->members.insert_or_assign(key, std::move(value)); }
  void set(const std::string& key, int64_t value) { set(key, json_integer(value)); }
  void set(const std::string& key, bool value) { set(key, Json(value)); }
  void set(const std::string& key, const char* value) { set(key, Json(std::string(value))); }

  // The value that the metadata has as `from`; left out where it has none.
  void copy(const std::string& key, const Json& metadata, const std::string& from) {
    if (const Json* value = metadata.get(from); value != nullptr) set(key, *value);
  }
  // The same for an integer that has to be there.
  void copy_int(const std::string& key, const Json& metadata, const std::string& from) {
    set(key, metadata.required_int(from));
  }

  Json build() && { return Json(std::shared_ptr<const Json::Object>(std::move(object_))); }

 private:
  std::shared_ptr<Json::Object> object_;
};

}  // namespace fovea
