// Caches, rotations, weights, the tower, and loading of the tiny checkpoints.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numbers>

#include "engine/forward_pass.h"
#include "model/decoder/rope_frequencies.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "test/cached_rows.h"
#include "test/check.h"
#include "test/golden.h"
#include "test/tiny_decoder.h"
#include "test/variants.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

const std::atomic<bool> kNever = false;

struct Folder {
  fs::path path;
  explicit Folder(const char* name) : path(fs::temp_directory_path() / (std::string("fovea_model_") + name)) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  std::string string() const { return path.string(); }
};

// A safetensors file with one f32 tensor.
std::string one_tensor(const std::string& name, int64_t rows, int64_t columns, const std::vector<float>& values) {
  std::string header = "{\"" + name + R"(":{"dtype":"F32","shape":[)" + std::to_string(rows) + "," +
                       std::to_string(columns) + R"(],"data_offsets":[0,)" +
                       std::to_string(values.size() * sizeof(float)) + "]}}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  return file + header + std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool mentions(const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; }

struct NoStages final : TowerHook {
  void embedded(RowStream&, const Tensor&) override {}
  void after_attention(int, RowStream&, const TowerAttention&) override {}
};

}  // namespace

TEST("KvCache keeps every row while it grows, and layers grow apart") {
  const auto ops = make_cpu_ops(1, "auto");
  KvCache cache(*ops, 3, 2, 4);
  Random random(9);
  std::vector<float> keys, values;  // of layer 1
  for (const int64_t n : {1, 1, 70, 3, 200, 1, 500}) {
    std::vector<float> k = random_floats(random, n * 8, 1), v = random_floats(random, n * 8, 1);
    std::vector<int32_t> places(static_cast<size_t>(n));
    std::iota(places.begin(), places.end(), static_cast<int32_t>(cache.length(1)));
    cache.append(1, Tensor(k.data(), DType::kF32, Device::kCpu, {n, 2, 4}),
                 Tensor(v.data(), DType::kF32, Device::kCpu, {n, 2, 4}), places);
    keys.insert(keys.end(), k.begin(), k.end());
    values.insert(values.end(), v.begin(), v.end());
    CHECK_EQ(cache.length(1), static_cast<int64_t>(keys.size()) / 8);
    CHECK(same_floats(cached_keys(cache, 1), keys));
    CHECK(same_floats(cached_values(cache, 1), values));
    CHECK_EQ(cache.places(1).front().back(), static_cast<int32_t>(cache.length(1)) - 1);
  }
  CHECK_EQ(cache.n_layers(), 3);
  CHECK_EQ(cache.length(0), 0);
  CHECK_EQ(cache.length(2), 0);
}

TEST("rope_frequencies: plain, linear and Llama 3, in both spellings, against double precision") {
  struct Example {
    const char* config;
    double theta;
    const char* type;
  };
  const Example table[] = {
      {"{}", 10000, "default"},
      {R"({"rope_theta":500000})", 500000, "default"},
      {R"({"rope_scaling":null,"rope_theta":1e6})", 1e6, "default"},
      {R"({"rope_parameters":{"rope_theta":250000,"rope_type":"default"}})", 250000, "default"},
      {R"({"rope_scaling":{"type":"linear","factor":4}})", 10000, "linear"},
      {R"({"rope_parameters":{"rope_type":"linear","factor":4,"rope_theta":5000}})", 5000, "linear"},
      {R"({"rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,)"
       R"("high_freq_factor":4,"original_max_position_embeddings":8192}})",
       500000, "llama3"},
      {R"({"rope_parameters":{"rope_theta":500000,"rope_type":"llama3","factor":8,"low_freq_factor":1,)"
       R"("high_freq_factor":4,"original_max_position_embeddings":8192}})",
       500000, "llama3"}};
  constexpr int64_t kHead = 128;
  for (const Example& example : table) {
    const std::vector<float> got = rope_frequencies(parse_json(example.config, "config.json"), kHead);
    REQUIRE(got.size() == kHead / 2);
    for (int64_t i = 0; i < kHead / 2; ++i) {
      double expected = std::pow(example.theta, -2.0 * static_cast<double>(i) / kHead);
      if (std::string(example.type) == "linear") expected /= 4;
      if (std::string(example.type) == "llama3") {
        const double wavelength = 2 * std::numbers::pi / expected;
        const double smooth = std::clamp((8192 / wavelength - 1) / 3, 0.0, 1.0);
        expected = expected * ((1 - smooth) / 8 + smooth);
      }
      CHECK_NEAR(got[static_cast<size_t>(i)], expected, 2e-6 * expected);
    }
  }
}

TEST("rope_frequencies: as transformers computes them") {
  const Golden golden("rope/golden");
  for (const Json& example : golden.json().required_array("cases").array()) {
    const Json& config = example.required_object("config");
    const auto expected = golden.read<float>(example.required_string("name"));
    const std::vector<float> got = rope_frequencies(config, example.required_int("width"));
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) CHECK_NEAR(got[i], expected[i], 1e-6F * expected[i]);
    CHECK_NEAR(rope_attention_factor(config), example.required_number("factor"), 1e-12);
  }
}

TEST("rope_frequencies refuses what it does not implement or cannot compute") {
  const auto frequencies = [](const char* config) { return rope_frequencies(parse_json(config, "config.json"), 16); };
  for (const char* key : {"factor", "beta_fast", "beta_slow", "original_max_position_embeddings"}) {
    const std::string config = R"({"rope_scaling":{"rope_type":"yarn",")" + std::string(key) + R"(":-1}})";
    CHECK_THROWS(ErrorCode::kModelFormat, frequencies(config.c_str()));
  }
  CHECK_THROWS(ErrorCode::kModelFormat,
               frequencies(R"({"rope_theta":1,"rope_scaling":{"rope_type":"yarn","factor":4}})"));
  const auto factor = [](const char* config) { return rope_attention_factor(parse_json(config, "config.json")); };
  CHECK_THROWS(ErrorCode::kModelFormat, factor(R"({"rope_scaling":{"rope_type":"yarn","attention_factor":0}})"));
  CHECK_THROWS(ErrorCode::kModelFormat,
               factor(R"({"rope_scaling":{"rope_type":"yarn","factor":4,"mscale":-90,"mscale_all_dim":1}})"));
  CHECK_EQ(factor(R"({"rope_scaling":{"rope_type":"linear","attention_factor":3}})"), 1.0);
  CHECK_THROWS(ErrorCode::kModelUnsupported, frequencies(R"({"rope_scaling":{"type":"longrope","factor":4}})"));
  CHECK(frequencies(R"({"rope_scaling":{"type":"dynamic","factor":4}})") == frequencies("{}"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_theta":0})"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_theta":-1})"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_theta":"big"})"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_scaling":{"type":"linear"}})"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_scaling":{"type":"linear","factor":0}})"));
  CHECK_THROWS(ErrorCode::kModelFormat, frequencies(R"({"rope_scaling":{"rope_type":"llama3","factor":0}})"));
}

TEST("Weights: errors name the tensor, what was tried, and what to do") {
  Folder folder("weights");
  folder.write("model.safetensors", one_tensor("a.weight", 2, 3, {1, 2, 3, 4, 5, 6}));
  const SafetensorsFolder files(folder.string());
  const auto ops = make_cpu_ops(1, "auto");
  for (const char* dtype : {"f64", "F32", "", "int3"})
    CHECK_THROWS(ErrorCode::kInvalidArgument, Weights(*ops, files, dtype));

  Weights weights(*ops, files, "f32");
  CHECK_EQ(weights.prefix_of("weight", {"b.", "a."}), "a.");
  CHECK_THROWS(ErrorCode::kModelFormat, weights.prefix_of("weight", {"b.", "model.b."}));
  const std::string message = message_of([&] { weights.prefix_of("weight", {"b.", "model.b."}); });
  CHECK(mentions(message, "b.weight") && mentions(message, "model.b.weight"));
  CHECK_THROWS(ErrorCode::kModelFormat, weights.matrix("a.weight", 3, 2));
  CHECK(mentions(message_of([&] { weights.matrix("a.weight", 3, 2); }), "a.weight"));
  CHECK_THROWS(ErrorCode::kModelFormat, weights.vector("a.weight", 6));
  CHECK_THROWS(ErrorCode::kModelFormat, weights.matrix("missing", 2, 3));
  CHECK_EQ(weights.parameters(), 0);

  CHECK(weights.vector_if(false, "missing", 3).view().empty());
  CHECK_EQ(weights.matrix("a.weight", 2, 3)->outputs(), 2);
  CHECK(same_floats(on_host(*ops, weights.rows("a.weight", 2, 3).view()), {1, 2, 3, 4, 5, 6}));
  CHECK_EQ(weights.parameters(), 6);  // taken twice, counted once
  CHECK(weights.bytes() >= 12 * 4);
}

TEST("Weights: NaN, infinity and numbers too large for f16 are refused by name") {
  const auto ops = make_cpu_ops(1, "auto");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Folder folder("nan");
    folder.write("model.safetensors", one_tensor("a.weight", 2, 3, {1, 2, bad, 4, 5, 6}));
    const SafetensorsFolder files(folder.string());
    Weights weights(*ops, files, "auto");
    CHECK_THROWS(ErrorCode::kNumeric, weights.matrix("a.weight", 2, 3));
    CHECK(mentions(message_of([&] { weights.matrix("a.weight", 2, 3); }), "a.weight"));
    CHECK_THROWS(ErrorCode::kNumeric, weights.rows("a.weight", 2, 3));
    CHECK(mentions(message_of([&] { weights.rows("a.weight", 2, 3); }), "a.weight"));
  }
  Folder folder("large");
  folder.write("model.safetensors", one_tensor("a.weight", 1, 2, {1, 1e6F}));
  const SafetensorsFolder files(folder.string());
  CHECK_THROWS(ErrorCode::kNumeric, Weights(*ops, files, "f16").matrix("a.weight", 1, 2));
  CHECK_EQ(Weights(*ops, files, "bf16").matrix("a.weight", 1, 2)->inputs(), 2);
}

TEST("ClipTower: images in one pass equal each one alone, bit for bit") {
  for (const char* name : {"f32-untied-gqa4", "f16-full-mha", "bf16-feature-list", "tied-42px"}) {
    const auto model = load_variant(name);
    const int64_t size = model->tower->facts().image_size, rows = model->image_rows, d = model->tower->d_features();
    CHECK_EQ(model->tower->rows_of(size, size), rows);
    std::vector<float> pixels;
    for (uint64_t i = 0; i < 3; ++i) {
      const ImageInput image = random_image(size, i + 1);
      pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    Tensor batch(pixels.data(), DType::kF32, Device::kCpu, {3, 3, size, size});
    DeviceArray together, alone;
    NoStages no_stages;
    std::vector<std::vector<int32_t>> kept;
    CHECK(model->tower->forward(batch, no_stages, together.resize(*model->ops, {3 * rows, d}), kept, kNever));
    CHECK_EQ(kept.size(), size_t{3});
    CHECK_EQ(static_cast<int64_t>(kept[2].size()), rows);
    for (int64_t i = 0; i < 3; ++i) {
      CHECK(model->tower->forward(batch.slice(i, 1), no_stages, alone.resize(*model->ops, {rows, d}), kept, kNever));
      CHECK(
          same_floats(on_host(*model->ops, alone.view()), on_host(*model->ops, together.view().slice(i * rows, rows))));
    }
    CHECK(model->ops->all_finite(together.view()));
  }
}

TEST("ClipTower stops when cancelled and takes only images of its own size") {
  const auto model = load_variant("f32-untied-gqa4");
  ImageInput image = random_image(28, 1);
  DeviceArray features;
  const std::atomic<bool> cancelled = true;
  std::vector<std::vector<int32_t>> kept;
  NoStages no_stages;
  CHECK(!model->tower->forward(Tensor(image.pixels.data(), DType::kF32, Device::kCpu, {1, 3, 28, 28}), no_stages,
                               features.resize(*model->ops, {model->image_rows, model->tower->d_features()}), kept,
                               cancelled));
  for (const auto& size : {std::pair{27, 28}, {28, 29}, {0, 0}, {-28, -28}, {1 << 20, 1 << 20}})
    CHECK_THROWS(ErrorCode::kInvalidArgument, model->tower->rows_of(size.first, size.second));
}

TEST("Every tiny checkpoint loads in every dtype, and keeping all rows gives the same logits bit for bit") {
  const std::vector<std::string> names = variant_names();
  CHECK(names.size() >= 16);
  for (const std::string& name : names)
    for (const char* dtype : {"auto", "f32", "bf16", "f16"}) {
      const auto model = load_variant(name, dtype);
      if (std::string(dtype) != "auto") CHECK_EQ(model->dtype, dtype);
      CHECK(model->parameters > 0 && model->weight_bytes > 0);
      ForwardRequest request;
      request.batch = 1;
      request.images = {random_image(model->tower->facts().image_size, 3)};
      request.input_ids = prompt_ids(*model, 1, 6, 4);
      request.attention_mask.assign(request.input_ids.size(), 1);
      ImageCache cache(0);
      const ForwardReport plain = forward_pass(*model, cache, request, {}, kNever);
      request.plan =
          R"({"positions":"compact","stages":[{"name":"all","hook":"projected","steps":[
            {"do":"select","by":"maxMin","features":"hidden","to":"k",
             "keep":{"ratio":1,"of":"stage","rounding":"half-even"}},{"do":"gather","rows":"k"}]},
           {"name":"all","hook":"decoder-layer","layer":1,"steps":[{"do":"probe","queries":"last","to":"a"},
            {"do":"select","by":"topK","score":"a","to":"k","keep":{"ratio":1,"of":"decoder","rounding":"trunc"}},
            {"do":"gather","rows":"k"}]}],"skip":[]})";
      const ForwardReport kept = forward_pass(*model, cache, request, {}, kNever);
      CHECK(plain.logits.shape ==
            (std::vector<int64_t>{1, static_cast<int64_t>(request.input_ids.size()), model->decoder->config().vocab}));
      CHECK(same_floats(plain.logits.data, kept.logits.data));
      CHECK(std::all_of(plain.logits.data.begin(), plain.logits.data.end(), [](float x) { return std::isfinite(x); }));
      CHECK(*std::max_element(plain.logits.data.begin(), plain.logits.data.end()) > 0);
    }
}

TEST("load_model tells how far it is, and ends when the listener throws") {
  LoadOptions options;
  std::vector<double> shares;
  options.on_progress = [&](double share) { shares.push_back(share); };
  load_model(variant("sharded"), options);
  CHECK(shares.size() > 20);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.front() == 0 && shares.back() > 0.5 && shares.back() <= 1);
  options.on_progress = [](double share) {
    if (share > 0.3) throw Error(ErrorCode::kDisposed, "aborted");
  };
  CHECK_THROWS(ErrorCode::kDisposed, load_model(variant("sharded"), options));
}

TEST("load_model: typed errors for what is not there or not supported") {
  CHECK_THROWS(ErrorCode::kModelNotFound, load_model(variant("no-such-folder"), {}));
  CHECK_THROWS(ErrorCode::kInvalidArgument, load_variant("sharded", "f64"));
  Folder folder("load");
  CHECK_THROWS(ErrorCode::kModelNotFound, load_model(folder.string(), {}));
  folder.write("config.json", R"({"model_type":"bert"})");
  CHECK_THROWS(ErrorCode::kModelUnsupported, load_model(folder.string(), {}));
  CHECK(mentions(message_of([&] { load_model(folder.string(), {}); }), "bert"));
  folder.write("config.json", "{}");
  CHECK_THROWS(ErrorCode::kModelFormat, load_model(folder.string(), {}));
  folder.write("config.json", "[]");
  CHECK_THROWS(ErrorCode::kModelFormat, load_model(folder.string(), {}));
  fs::copy_file(variant("sharded") + "/config.json", folder.path / "config.json", fs::copy_options::overwrite_existing);
  CHECK_THROWS(ErrorCode::kModelNotFound, load_model(folder.string(), {}));
  folder.write("model.safetensors", one_tensor("a.weight", 2, 3, {1, 2, 3, 4, 5, 6}));
  CHECK_THROWS(ErrorCode::kModelFormat, load_model(folder.string(), {}));
  // Weights of another architecture under the same names.
  fs::copy_file(variant("tied-42px") + "/model.safetensors", folder.path / "model.safetensors",
                fs::copy_options::overwrite_existing);
  CHECK_THROWS(ErrorCode::kModelFormat, load_model(folder.string(), {}));
}

}  // namespace fovea::test
