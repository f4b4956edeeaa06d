#include "engine/image_cache.h"

namespace fovea {

size_t EncodedImage::bytes() const {
  size_t bytes = sizeof(EncodedImage) + projected.bytes() + kept.size() * sizeof(int32_t);
  for (const auto& [tap, value] : taps.values) bytes += value.numbers.size() * sizeof(float);
  for (const StageReport& report : reports)
    for (const StageReport::Image& image : report.images) bytes += sizeof(report) + image.kept.size() * sizeof(int32_t);
  return bytes;
}

std::shared_ptr<const EncodedImage> ImageCache::find(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->image;
}

void ImageCache::insert(const std::string& key, std::shared_ptr<const EncodedImage> image) {
  const size_t size = image->bytes();
  if (size > max_bytes_ || by_key_.contains(key)) return;
  entries_.push_front({key, std::move(image)});
  by_key_[key] = entries_.begin();
  bytes_ += size;
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().image->bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

void ImageCache::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

}  // namespace fovea
