// The image cache keeps what was used last, within its bytes.
#include "engine/image_cache.h"
#include "test/check.h"

namespace fovea::test {
namespace {

std::shared_ptr<const EncodedImage> image_of(Ops& ops, int64_t rows) {
  const auto image = std::make_shared<EncodedImage>();
  image->projected.resize(ops, {rows, 16});
  return image;
}

}  // namespace

TEST("ImageCache: the image used longest ago goes first") {
  const auto ops = make_cpu_ops(1, "auto");
  const size_t one = image_of(*ops, 10)->bytes();
  ImageCache cache(3 * one);
  for (const char* key : {"a", "b", "c"}) cache.insert(key, image_of(*ops, 10));
  CHECK_EQ(cache.bytes(), 3 * one);
  const auto a = cache.find("a");
  CHECK(a != nullptr);
  cache.insert("d", image_of(*ops, 10));
  CHECK(cache.find("b") == nullptr);
  CHECK(cache.find("a") == a);
  CHECK(cache.find("c") != nullptr);
  CHECK(cache.find("d") != nullptr);
  CHECK_EQ(cache.bytes(), 3 * one);
}

TEST("ImageCache: what does not fit is not kept and moves nothing out") {
  const auto ops = make_cpu_ops(1, "auto");
  ImageCache cache(image_of(*ops, 10)->bytes());
  cache.insert("small", image_of(*ops, 10));
  cache.insert("large", image_of(*ops, 11));
  CHECK(cache.find("large") == nullptr);
  CHECK(cache.find("small") != nullptr);
  cache.insert("small", image_of(*ops, 9));  // the same content: the first one stays
  CHECK_EQ(cache.find("small")->projected.view().rows(), 10);
  cache.clear();
  CHECK(cache.find("small") == nullptr);
  CHECK_EQ(cache.bytes(), size_t{0});
  ImageCache none(0);
  none.insert("a", image_of(*ops, 1));
  CHECK(none.find("a") == nullptr);
}

}  // namespace fovea::test
