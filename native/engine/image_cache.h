// Images that were encoded before, so that the next question about a picture does not pay for the tower again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "ops/device_array.h"
#include "prune/tower_tap.h"

namespace fovea {

// What tower and projector made of one image under a plan.
struct EncodedImage {
  int64_t prompt_rows = 0;           // image tokens in the prompt: its rows before anything was dropped
  std::vector<int32_t> kept;         // places of the rows that the tower left, ascending, among prompt_rows
  DeviceArray projected;             // (kept, d_model * (1 + Projector::planes))
  std::vector<StageReport> reports;  // of the plan's stages inside the tower
  TapValues taps;

  size_t bytes() const;
};

// The most recently used images whose rows fit into a number of bytes. Keys name an image's pixels and everything of
// the plan that acts on it inside the tower (lib/engine/image-key.ts makes them). Engine thread only.
class ImageCache {
 public:
  explicit ImageCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // nullptr if it is not there.
  std::shared_ptr<const EncodedImage> find(const std::string& key);
  void insert(const std::string& key, std::shared_ptr<const EncodedImage> image);
  void clear();
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const EncodedImage> image;
  };

  size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the one used last comes first
  std::map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace fovea
