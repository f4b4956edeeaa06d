// GGUF files: what the header parser accepts and refuses, blocks against gguf-py's reading of them, tensors under other
// names and in another order, files in parts, and models that contradict themselves.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <set>

#include "base/half.h"
#include "io/gguf.h"
#include "io/gguf_tensors.h"
#include "model/gguf/gguf_model.h"
#include "model/model.h"
#include "test/check.h"
#include "test/gguf_writer.h"
#include "test/golden.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;
using W = GgufWriter;

constexpr uint32_t kF32 = 0, kF16 = 1, kQ8_0 = 8, kQ2_K = 10, kQ4_K = 12;

struct Folder {
  fs::path path;
  explicit Folder(const char* name) : path(fs::temp_directory_path() / (std::string("fovea_gguf_") + name)) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return (path / name).string();
  }
};

GgufHeader parse(const std::string& bytes) {
  return parse_gguf_header(std::as_bytes(std::span(bytes)), bytes.size(), "test.gguf");
}

void check_refused(const std::string& bytes, const std::string& part, ErrorCode code = ErrorCode::kModelFormat) {
  try {
    parse(bytes);
    fail(__FILE__, __LINE__, "accepted; expected \"" + part + "\"");
  } catch (const Error& error) {
    const std::string message = error.what();
    if (error.code() != code || message.find(part) == std::string::npos || !message.starts_with("test.gguf"))
      fail(__FILE__, __LINE__, std::string(code_name(error.code())) + " " + message + "; expected \"" + part + "\"");
  }
}

std::string golden(const std::string& name) { return std::string(FOVEA_SOURCE_DIR) + "/test/golden/gguf/" + name; }

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST("gguf header: every type of value") {
  const GgufHeader header = parse(W().key("a.u8", W::kU8, W::raw<uint8_t>(200))
                                      .key("a.i8", W::kI8, W::raw<int8_t>(-3))
                                      .key("a.u16", W::kU16, W::raw<uint16_t>(65535))
                                      .key("a.i16", W::kI16, W::raw<int16_t>(-300))
                                      .key("a.u32", 4000000000u)
                                      .key("a.i32", W::kI32, W::raw<int32_t>(-70000))
                                      .key("a.u64", W::kU64, W::raw<uint64_t>(1) + "")
                                      .key("a.huge", W::kU64, W::raw<uint64_t>(~uint64_t{0}))
                                      .key("a.i64", W::kI64, W::raw<int64_t>(INT64_MIN))
                                      .key("a.f32", W::kF32, W::raw(0.5F))
                                      .key("a.f64", W::kF64, W::raw(0.1))
                                      .key("a.bool", W::kBool, W::raw<uint8_t>(1))
                                      .key("a.text", "words")
                                      .array("a.list", W::kString, 2, W::text("x") + W::text(""))
                                      .array("a.none", W::kI32, 0, "")
                                      .file());
  const Json& m = header.metadata;
  CHECK_EQ(m.required_int("a.u8"), 200);
  CHECK_EQ(m.required_int("a.i8"), -3);
  CHECK_EQ(m.required_int("a.u16"), 65535);
  CHECK_EQ(m.required_int("a.i16"), -300);
  CHECK_EQ(m.required_int("a.u32"), 4000000000);
  CHECK_EQ(m.required_int("a.i32"), -70000);
  CHECK_EQ(m.required_int("a.u64"), 1);
  CHECK_NEAR(m.required_number("a.huge"), 18446744073709551615.0, 1.0);
  CHECK_EQ(m.required_int("a.i64"), INT64_MIN);
  CHECK_NEAR(m.required_number("a.f32"), 0.5, 0);
  CHECK_NEAR(m.required_number("a.f64"), 0.1, 0);
  CHECK(m.bool_or("a.bool", false));
  CHECK_EQ(m.required_string("a.text"), std::string("words"));
  CHECK_EQ(m.required_array("a.list").array().size(), size_t{2});
  CHECK_EQ(m.required_array("a.list").array()[0].string(), std::string("x"));
  CHECK(m.required_array("a.none").array().empty());
  CHECK_THROWS(ErrorCode::kModelFormat, m.required_int("a.text"));
}

TEST("gguf header: tensors, slowest dimension first, at offsets from the aligned data") {
  for (const uint32_t alignment : {1u, 8u, 32u, 64u}) {
    const std::string file = W().key("general.alignment", alignment)
                                 .tensor("m", {3, 2}, kF32, 0)
                                 .tensor("q", {64, 2}, kQ8_0, 64)
                                 .file(std::string(64 + 136, 'x'), alignment);
    const GgufHeader header = parse(file);
    const GgufEntry& m = header.tensors.at("m");
    CHECK(m.shape == std::vector<int64_t>({2, 3}));
    CHECK_EQ(m.begin, file.size() - 200);
    CHECK_EQ(m.end - m.begin, uint64_t{24});
    const GgufEntry& q = header.tensors.at("q");
    CHECK(q.type == GgufType::kQ8_0);
    CHECK_EQ(q.end, file.size());
    CHECK_EQ(q.end - q.begin, uint64_t{136});
  }
}

TEST("gguf header: what is cut short is refused wherever it ends") {
  const std::string file = W().key("general.architecture", "llama")
                               .array("list", W::kString, 2, W::text("ab") + W::text("c"))
                               .tensor("m", {4}, kF32, 0)
                               .file(std::string(16, 'x'));
  CHECK_EQ(parse(file).tensors.size(), size_t{1});
  for (size_t size = 0; size < file.size(); ++size) CHECK_THROWS(ErrorCode::kModelFormat, parse(file.substr(0, size)));
}

TEST("gguf header: counts and lengths that lie, before memory is reserved for them") {
  const auto with = [](const std::function<void(W&)>& change) {
    W writer;
    change(writer);
    return writer.file(std::string(64, 'x'));
  };
  constexpr uint64_t kHuge = uint64_t{1} << 60;
  check_refused("not a GGUF file, by far", "does not start with");
  check_refused(with([](W& w) { w.version = 1; }), "version 1", ErrorCode::kModelUnsupported);
  check_refused(with([](W& w) { w.version = 4; }), "version 4", ErrorCode::kModelUnsupported);
  check_refused(with([](W& w) { w.version = 0x03000000; }), "big-endian", ErrorCode::kModelUnsupported);
  check_refused(with([](W& w) { w.extra_tensors = kHuge; }), "expected at most");
  check_refused(with([](W& w) { w.extra_keys = kHuge; }), "expected at most");
  check_refused(with([](W& w) { w.key(std::string(70000, 'k'), 1u); }), "a key claims 70000 bytes");
  check_refused(with([](W& w) { w.key("a", W::kString, W::raw(kHuge)); }), "a string claims");
  check_refused(with([](W& w) { w.key("a", W::kString, W::raw<uint64_t>(5000)); }), "truncated");
  check_refused(with([](W& w) { w.array("a", W::kU32, kHuge, ""); }), "more than");
  check_refused(with([](W& w) { w.array("a", W::kU32, 100000, ""); }), "truncated");
  check_refused(with([](W& w) { w.array("a", W::kArray, 1, ""); }), "array of arrays");
  check_refused(with([](W& w) { w.key("a", 77, "x"); }), "unknown type 77");
  check_refused(with([](W& w) { w.key("a", 1u).key("a", 2u); }), "occurs twice");
  for (const uint32_t alignment : {0u, 3u, 1u << 21})
    check_refused(with([&](W& w) { w.key("general.alignment", alignment); }), "general.alignment");
  check_refused(with([](W& w) { w.key("general.alignment", "32"); }), "general.alignment");
}

TEST("gguf header: tensors that lie") {
  const auto with = [](const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    return W().tensor("t", dims, type, offset).file(std::string(64, 'x'));
  };
  constexpr uint64_t kHuge = uint64_t{1} << 60;
  check_refused(with({}, kF32, 0), "0 dimensions");
  check_refused(with({1, 1, 1, 1, 1}, kF32, 0), "5 dimensions");
  check_refused(with({4, 0}, kF32, 0), "empty or overflows");
  check_refused(with({kHuge, kHuge}, kF32, 0), "empty or overflows");
  check_refused(with({uint64_t{1} << 32, uint64_t{1} << 32}, kF32, 0), "empty or overflows");
  check_refused(with({~uint64_t{0}}, kF32, 0), "empty or overflows");
  check_refused(with({uint64_t{1} << 59}, kF32, 0), "truncated");
  check_refused(with({48}, kQ8_0, 0), "multiples of 32");
  check_refused(with({32}, kQ4_K, 0), "multiples of 256");
  check_refused(with({4}, 5, 0), "type 5", ErrorCode::kModelUnsupported);
  check_refused(with({4}, kF32, 4), "expected a multiple of 32");
  check_refused(with({4}, kF32, 64), "truncated");
  check_refused(with({4}, kF32, ~uint64_t{0} - 31), "lies at offset");
  check_refused(with({17}, kF32, 0), "truncated");
  check_refused(W().tensor("t", {8}, kF32, 0).tensor("t", {8}, kF32, 32).file(std::string(64, 'x')), "occurs twice");
  check_refused(W().tensor("t", {9}, kF32, 0).tensor("u", {8}, kF32, 32).file(std::string(64, 'x')), "u overlaps t");
}

TEST("gguf blocks: every type as gguf-py reads it, bit for bit") {
  const Golden blocks("gguf/blocks");
  for (const GgufType type : {GgufType::kQ4_0, GgufType::kQ4_1, GgufType::kQ5_0, GgufType::kQ5_1, GgufType::kQ8_0,
                              GgufType::kQ4_K, GgufType::kQ5_K, GgufType::kQ6_K}) {
    const std::string name = gguf_type_facts(static_cast<uint32_t>(type))->name;
    const auto bytes = blocks.read<uint8_t>("blocks." + name);
    const auto expected = blocks.read<float>("numbers." + name);
    const auto n = static_cast<int64_t>(expected.size());
    const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
    std::vector<float> got(expected.size());
    CHECK(dequantise(type, data, n, DType::kF32, got.data()));
    CHECK(std::memcmp(got.data(), expected.data(), expected.size_bytes()) == 0);
    // As 16-bit floats: the same, rounded once.
    std::vector<uint16_t> half(expected.size());
    CHECK(dequantise(type, data, n, DType::kF16, half.data()));
    for (size_t i = 0; i < half.size(); ++i) CHECK_EQ(half[i], f32_to_f16(expected[i]));
    CHECK(dequantise(type, data, n, DType::kBF16, half.data()));
    for (size_t i = 0; i < half.size(); ++i) CHECK_EQ(half[i], f32_to_bf16(expected[i]));
  }
}

TEST("gguf blocks: a number too large for f16 is noticed") {
  std::array<std::byte, 34> block{};
  const uint16_t scale = f32_to_f16(60000.0F);
  std::memcpy(block.data(), &scale, 2);
  block[2] = std::byte{2};  // 120000
  std::array<uint16_t, 32> half{};
  std::array<float, 32> whole{};
  CHECK(!dequantise(GgufType::kQ8_0, block.data(), 32, DType::kF16, half.data()));
  CHECK(dequantise(GgufType::kQ8_0, block.data(), 32, DType::kBF16, half.data()));
  CHECK(dequantise(GgufType::kQ8_0, block.data(), 32, DType::kF32, whole.data()));
  CHECK_EQ(whole[0], 2 * f16_to_f32(scale));
}

TEST("gguf tensors: names, shapes, and rows of heads in transformers' order") {
  const Folder folder("tensors");
  std::string data;
  for (int i = 0; i < 16; ++i) data += W::raw(static_cast<float>(i));
  const std::string path = folder.write("a.gguf", W().tensor("q", {2, 8}, kF32, 0)
                                                      .tensor("v", {16}, kF32, 64)
                                                      .tensor("odd", {256}, kQ2_K, 128)
                                                      .file(data + data + std::string(84, '\0')));
  std::vector<GgufFile> files;
  files.emplace_back(path);
  const GgufTensors tensors(std::move(files), {{"Q", {"q", 2}},
                                               {"Q bias", {"v", 2}},
                                               {"V", {"v"}},
                                               {"Odd", {"odd"}},
                                               {"Gone", {"gone"}},
                                               {"Uneven", {"q", 8}}});
  CHECK(tensors.has("Q") && !tensors.has("q") && !tensors.has("Gone"));
  CHECK_EQ(tensors.bytes(), uint64_t{64 + 64 + 64 + 64 + 84});
  // Two heads of four rows; a head's rows are 0, 2, 1, 3 of the file.
  const HeldTensor q = tensors.take("Q", {8, 2}, DType::kF16);
  CHECK(q.tensor.dtype == DType::kF32);
  const int rows[] = {0, 2, 1, 3, 4, 6, 5, 7};
  for (int row = 0; row < 8; ++row) CHECK_EQ(q.tensor.as<float>()[2 * row + 1], static_cast<float>(2 * rows[row] + 1));
  const HeldTensor bias = tensors.take("Q bias", {16}, DType::kF16);
  const float heads[] = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};
  CHECK(same_bits(bias.tensor.as<float>(), heads, 16));
  const HeldTensor v = tensors.take("V", {16}, DType::kF16);
  CHECK(v.memory == nullptr && v.memory_bytes == 0 && v.file_bytes == 64);
  CHECK_THROWS(ErrorCode::kModelFormat, tensors.take("Gone", {1}, DType::kF32));
  CHECK_THROWS(ErrorCode::kModelFormat, tensors.take("unheard of", {1}, DType::kF32));
  CHECK_THROWS(ErrorCode::kModelFormat, tensors.take("Q", {2, 8}, DType::kF32));
  CHECK_THROWS(ErrorCode::kModelUnsupported, tensors.take("Odd", {256}, DType::kF32));
  CHECK_THROWS(ErrorCode::kModelUnsupported, tensors.take("Uneven", {8, 2}, DType::kF32));
  CHECK(message_of([&] { tensors.take("Odd", {256}, DType::kF32); }).find("Q2_K (256), expected F32") !=
        std::string::npos);
}

TEST("gguf tensors: data that is not aligned, and blocks as the dtype asked for") {
  const Folder folder("unaligned");
  for (int pad = 0; pad < 4; ++pad) {
    std::string block = W::raw(f32_to_f16(0.5F));
    for (int i = 0; i < 32; ++i) block += static_cast<char>(i - 16);
    const std::string path = folder.write("a.gguf", W().key("general.alignment", 1u)
                                                        .key("pad", std::string(static_cast<size_t>(pad), 'p'))
                                                        .tensor("m", {2}, kF32, 0)
                                                        .tensor("b", {32, 1}, kQ8_0, 8)
                                                        .file(W::raw(1.5F) + W::raw(-2.5F) + block, 1));
    std::vector<GgufFile> files;
    files.emplace_back(path);
    const GgufTensors tensors(std::move(files), {{"m", {"m"}}, {"b", {"b"}}});
    const HeldTensor m = tensors.take("m", {2}, DType::kF16);
    CHECK_EQ(reinterpret_cast<uintptr_t>(m.tensor.data) % 4, uintptr_t{0});
    CHECK_EQ(m.tensor.as<float>()[1], -2.5F);
    const HeldTensor f32 = tensors.take("b", {1, 32}, DType::kF32);
    const HeldTensor f16 = tensors.take("b", {1, 32}, DType::kF16);
    CHECK(f32.tensor.dtype == DType::kF32 && f16.tensor.dtype == DType::kF16);
    CHECK_EQ(f32.memory_bytes, uint64_t{128});
    CHECK_EQ(f16.memory_bytes, uint64_t{64});
    for (int i = 0; i < 32; ++i) {
      CHECK_EQ(f32.tensor.as<float>()[i], 0.5F * static_cast<float>(i - 16));
      CHECK_EQ(f16_to_f32(f16.tensor.as<uint16_t>()[i]), 0.5F * static_cast<float>(i - 16));
    }
  }
}

TEST("gguf tensors: large ones are read by several threads, to the same bits") {
  const Folder folder("threads");
  constexpr int64_t kRows = 64, kColumns = 4608, kNumbers = kRows * kColumns;  // rows end inside pieces
  constexpr size_t kBlock = 34;
  std::string blocks;
  for (int64_t block = 0; block < kNumbers / 32; ++block) {
    blocks += W::raw(f32_to_f16(0.01F * static_cast<float>(1 + block % 97)));
    for (int64_t i = 0; i < 32; ++i) blocks += static_cast<char>(block * 31 + i * 7);
  }
  const auto tensors = [&](int threads) {
    std::vector<GgufFile> files;
    files.emplace_back(folder.write("a.gguf", W().tensor("m", {kColumns, kRows}, kQ8_0, 0).file(blocks)));
    return GgufTensors(std::move(files), {{"m", {"m"}}, {"q", {"m", 4}}}, threads);
  };
  std::vector<float> expected(kNumbers);
  CHECK(dequantise(GgufType::kQ8_0, reinterpret_cast<const std::byte*>(blocks.data()), kNumbers, DType::kF32,
                   expected.data()));
  for (const int threads : {1, 3}) {
    const HeldTensor m = tensors(threads).take("m", {kRows, kColumns}, DType::kF32);
    CHECK(same_bits(m.tensor.as<float>(), expected.data(), expected.size()));
    // Heads of 16 rows, whose halves the file interleaves.
    const HeldTensor q = tensors(threads).take("q", {kRows, kColumns}, DType::kF32);
    for (int64_t row = 0; row < kRows; ++row) {
      const int64_t from = row / 16 * 16 + row % 8 * 2 + row % 16 / 8;
      CHECK(same_bits(q.tensor.as<float>() + row * kColumns, expected.data() + from * kColumns, kColumns));
    }
  }
  // A weight too large is noticed wherever it stands.
  for (const size_t block : {size_t{0}, static_cast<size_t>(kNumbers / 32 - 1)}) {
    const std::string sound = blocks;
    blocks.replace(block * kBlock, 3, W::raw(f32_to_f16(60000.0F)) + '\2');
    CHECK_THROWS(ErrorCode::kNumeric, tensors(3).take("m", {kRows, kColumns}, DType::kF16));
    blocks = sound;
  }
}

TEST("gguf tensors: what a converter added is taken off, and ones are no other shape") {
  const Folder folder("added");
  const float weights[] = {-0.75F, 1e-7F, 0.3F, 12.0F};
  std::string norm, halves;
  for (float weight : weights) norm += W::raw(1.0F + weight), halves += W::raw(f32_to_f16(weight));
  const std::string path =
      folder.write("a.gguf", W().tensor("norm", {4}, kF32, 0)
                                 .tensor("short", {4}, kF16, 32)
                                 .tensor("long", {2, 2, 1}, kF32, 64)
                                 .file(norm + std::string(16, '\0') + halves + std::string(24, '\0') + norm));
  std::vector<GgufFile> files;
  files.emplace_back(path);
  const GgufTensors tensors(std::move(files),
                            {{"norm", {"norm", 0, 1}}, {"short", {"short", 0, 1}}, {"long", {"long"}}});
  const HeldTensor held = tensors.take("norm", {4}, DType::kF16);
  // Adding it again, as the model does, gives the file's bits.
  for (int i = 0; i < 4; ++i) CHECK_EQ(held.tensor.as<float>()[i] + 1.0F, 1.0F + weights[i]);
  CHECK_EQ(held.tensor.as<float>()[0], weights[0]);
  CHECK_THROWS(ErrorCode::kModelUnsupported, tensors.take("short", {4}, DType::kF32));
  CHECK_EQ(tensors.take("long", {2, 2}, DType::kF32).tensor.rank, 2);
  CHECK_EQ(tensors.take("long", {1, 1, 2, 2}, DType::kF32).tensor.rank, 4);
  CHECK_THROWS(ErrorCode::kModelFormat, tensors.take("long", {4}, DType::kF32));
  CHECK_EQ(tensors.take("long", {2, 1, 2}, DType::kF32).tensor.row_elements(), int64_t{2});
}

TEST("gguf files in parts: the tensors of all, and parts that do not belong together") {
  const auto part = [](uint16_t no, uint16_t count, const std::string& tensor) {
    W writer;
    writer.key("split.no", W::kU16, W::raw(no)).key("split.count", W::kU16, W::raw(count));
    writer.key("split.tensors.count", W::kI32, W::raw<int32_t>(2));
    if (no == 0) writer.key("general.architecture", "llama");
    if (!tensor.empty()) writer.tensor(tensor, {2}, kF32, 0);
    return writer.file(tensor.empty() ? "" : W::raw(static_cast<float>(no)) + W::raw(7.0F));
  };
  const Folder folder("parts");
  const std::string first = folder.write("m-00001-of-00003.gguf", part(0, 3, ""));  // of metadata alone
  folder.write("m-00002-of-00003.gguf", part(1, 3, "a"));
  const auto open = [&] { return GgufFile(first); };
  CHECK_THROWS(ErrorCode::kModelNotFound, open());
  const std::string third = folder.write("m-00003-of-00003.gguf", part(2, 3, "b"));
  std::vector<GgufFile> files;
  files.push_back(open());
  CHECK_EQ(files[0].metadata().required_string("general.architecture"), std::string("llama"));
  const GgufTensors tensors(std::move(files), {{"A", {"a"}}, {"B", {"b"}}});
  CHECK_EQ(tensors.bytes(), uint64_t{16});
  CHECK_EQ(tensors.take("A", {2}, DType::kF32).tensor.as<float>()[0], 1.0F);
  CHECK_EQ(tensors.take("B", {2}, DType::kF32).tensor.as<float>()[0], 2.0F);

  const auto refused = [&](const std::string& path, const std::string& why) {
    CHECK_THROWS(ErrorCode::kModelFormat, GgufFile{path});
    const std::string message = message_of([&] { GgufFile{path}; });
    if (message.find(why) == std::string::npos) fail(__FILE__, __LINE__, message + "; expected \"" + why + "\"");
  };
  refused(third, "is part 3 of 3; name the first, whose name ends with -00001-of-00003.gguf");
  refused(folder.write("renamed.gguf", part(0, 3, "")), "is part 1 of 3; name the first");
  refused(folder.write("many.gguf", W().key("split.count", W::kI32, W::raw<int32_t>(100000)).file("x")),
          "100000 parts");
  refused(folder.write("few.gguf", W().key("split.count", W::kI32, W::raw<int32_t>(-2)).file("x")), "-2 parts");
  folder.write("m-00003-of-00003.gguf", part(2, 3, "a"));
  refused(first, "has the tensor a of an earlier part again");
  folder.write("m-00003-of-00003.gguf", part(1, 3, "b"));
  refused(first, "is not part 3 of 3 as its name says");
  folder.write("m-00003-of-00003.gguf", part(2, 3, ""));
  refused(first, "have 1 tensors; split.tensors.count says 2");
}

TEST("gguf models: a config in transformers' words") {
  const GgufFile decoder(golden("smolvlm/smolvlm-BF16.gguf")), mmproj(golden("smolvlm/mmproj-smolvlm-BF16.gguf"));
  const Json config = describe_gguf(decoder, mmproj).config;
  const Json original = read_json_file(std::string(FOVEA_SOURCE_DIR) + "/test/golden/idefics3/smolvlm/config.json");
  CHECK_EQ(config.required_string("model_type"), std::string("idefics3"));
  for (const char* key : {"image_token_id", "scale_factor"})
    CHECK_EQ(config.required_int(key), original.required_int(key));
  CHECK(config.bool_or("tie_word_embeddings", false));
  const std::pair<const char*, std::vector<const char*>> parts[] = {
      {"text_config",
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "head_dim", "vocab_size", "max_position_embeddings"}},
      {"vision_config",
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size"}}};
  for (const auto& [part, keys] : parts)
    for (const char* key : keys)
      CHECK_EQ(config.required_object(part).required_int(key), original.required_object(part).required_int(key));
  CHECK_NEAR(config.required_object("text_config").required_number("rms_norm_eps"), 1e-5, 1e-12);
}

namespace {

// A Gemma 3 of so many layers, so far as its metadata go.
W gemma3(uint32_t n_layers, const std::vector<std::string>& tokens) {
  W writer;
  writer.key("general.architecture", "gemma3").key("gemma3.block_count", n_layers);
  writer.key("gemma3.attention.head_count", 4u).key("gemma3.attention.key_length", 8u);
  writer.key("gemma3.embedding_length", 24u).key("gemma3.feed_forward_length", 36u);
  writer.key("gemma3.context_length", 1024u);
  std::string items;
  for (const std::string& token : tokens) items += W::text(token);
  writer.array("tokenizer.ggml.tokens", W::kString, tokens.size(), items);
  return writer.tensor("token_embd.weight", {1, 3}, kF32, 0);
}

const std::vector<std::string> kGemmaTokens = {"<start_of_image>", "<end_of_image>", "a"};

}  // namespace

TEST("gguf models: what files of Gemma 3 leave to be known") {
  const Folder folder("gemma3");
  const GgufFile mmproj(golden("gemma3/mmproj-gemma3-BF16.gguf"));
  const auto text_of = [&](const W& writer) {
    const GgufFile decoder(folder.write("d.gguf", writer.file(std::string(12, '\0'))));
    const Json config = describe_gguf(decoder, mmproj).config;
    CHECK_EQ(config.required_int("image_token_id"), int64_t{3});  // beyond a vocabulary that has none
    CHECK_EQ(config.required_int("mm_tokens_per_image"), int64_t{16});
    return config.required_object("text_config");
  };
  // Scores are divided by the root of a head's width, or, with 62 layers, by that of the width over the heads.
  CHECK_EQ(text_of(gemma3(7, kGemmaTokens)).required_int("query_pre_attn_scalar"), int64_t{8});
  CHECK_EQ(text_of(gemma3(62, kGemmaTokens)).required_number("query_pre_attn_scalar"), 6.0);
  // Layers with a window: none, as ever, every third, or as listed.
  CHECK_EQ(text_of(gemma3(7, kGemmaTokens)).required_int("sliding_window_pattern"), int64_t{1});
  const auto with_window = [](W writer) { return writer.key("gemma3.attention.sliding_window", 12u); };
  const std::string pattern = "gemma3.attention.sliding_window_pattern";
  const Json usual = text_of(with_window(gemma3(7, kGemmaTokens)));
  CHECK_EQ(usual.required_int("sliding_window"), int64_t{12});
  CHECK_EQ(usual.required_int("sliding_window_pattern"), int64_t{6});
  CHECK_EQ(text_of(with_window(gemma3(7, kGemmaTokens)).key(pattern, 3u)).required_int("sliding_window_pattern"),
           int64_t{3});
  const Json listed = text_of(with_window(gemma3(2, kGemmaTokens)).array(pattern, W::kBool, 2, std::string("\1\0", 2)));
  CHECK_EQ(listed.required_array("layer_types").array()[0].string(), std::string("sliding_attention"));
  CHECK_EQ(listed.required_array("layer_types").array()[1].string(), std::string("full_attention"));
  const Json& rope = usual.required_object("rope_parameters");
  CHECK_EQ(rope.required_object("sliding_attention").required_number("rope_theta"), 10000.0);
  CHECK_THROWS(ErrorCode::kModelFormat, text_of(gemma3(7, {"<start_of_image>", "a", "b"})));
}

TEST("gguf models: KV heads for each layer, and what tells a published LFM2-VL from another") {
  const Folder folder("lfm2");
  const GgufFile mmproj(golden("lfm2-vl/mmproj-lfm2-vl-BF16.gguf"));
  const auto described = [&](const std::function<void(W&)>& more) {
    W writer;
    writer.key("general.architecture", "lfm2").key("lfm2.block_count", 3u).key("lfm2.attention.head_count", 4u);
    for (const char* key : {"embedding_length", "feed_forward_length"}) writer.key(std::string("lfm2.") + key, 32u);
    writer.key("lfm2.context_length", 4096u).key("lfm2.shortconv.l_cache", 3u);
    writer.array("tokenizer.ggml.tokens", W::kString, 1, W::text("a")).tensor("token_embd.weight", {8, 1}, kF32, 0);
    more(writer);
    return describe_gguf(GgufFile(folder.write("d.gguf", writer.file(std::string(32, '\0')))), mmproj).config;
  };
  const std::string key = "lfm2.attention.head_count_kv";
  const auto listing = [&](const std::vector<int32_t>& heads) {
    return [&key, heads](W& writer) {
      std::string items;
      for (int32_t n : heads) items += W::raw(n);
      writer.array(key, W::kI32, heads.size(), items);
    };
  };
  const Json config = described(listing({0, 2, 0}));
  const Json& text = config.required_object("text_config");
  CHECK_EQ(text.required_int("num_key_value_heads"), int64_t{2});
  CHECK_EQ(text.required_int("conv_L_cache"), int64_t{3});
  CHECK_EQ(text.required_int("intermediate_size"), int64_t{32});
  CHECK(!text.bool_or("block_auto_adjust_ff_dim", true) && !text.bool_or("conv_bias", true));
  const char* types[] = {"conv", "full_attention", "conv"};
  for (size_t i = 0; i < 3; ++i)
    CHECK_EQ(text.required_array("layer_types").array()[i].string(), std::string(types[i]));
  CHECK_EQ(config.required_object("vision_config").required_int("num_patches"), int64_t{9});
  CHECK(config.bool_or("projector_use_layernorm", false) && config.bool_or("projector_bias", false));
  // One number is every layer's.
  const Json all = described([&](W& writer) { writer.key(key, 2u); }).required_object("text_config");
  CHECK_EQ(all.required_array("layer_types").array()[0].string(), std::string("full_attention"));

  const std::vector<int32_t> lies[] = {{0, 2}, {0, 2, 0, 2}, {}, {0, 0, 0}, {0, 2, 4}, {0, 2, -2}, {0, 1 << 30, 0}};
  for (const std::vector<int32_t>& heads : lies) {
    CHECK_THROWS(ErrorCode::kModelFormat, described(listing(heads)));
    const std::string message = message_of([&] { described(listing(heads)); });
    if (message.find(key) == std::string::npos) fail(__FILE__, __LINE__, message);
  }
  CHECK_THROWS(ErrorCode::kModelFormat, described([&](W& writer) {
                 writer.array(key, W::kString, 3, W::text("a") + W::text("b") + W::text(""));
               }));
  CHECK_THROWS(ErrorCode::kModelUnsupported, described([&](W& writer) {
                 listing({0, 2, 0})(writer);
                 writer.key("lfm2.attention.sliding_window", 512u);
               }));
}

TEST("gguf models: LLaVA-1.6 without pairs of sides, and InternViT of another kind") {
  const Folder folder("odd");
  const GgufFile llama(golden("llava-next/llava-next-BF16.gguf"));
  const auto tower = [](const char* projector) {
    W writer;
    writer.key("general.architecture", "clip").key("clip.projector_type", projector);
    for (const char* key : {"block_count", "embedding_length", "feed_forward_length", "attention.head_count",
                            "image_size", "patch_size", "projector.scale_factor"})
      writer.key(std::string("clip.vision.") + key, 1u);
    return writer;
  };
  const auto described = [&](const GgufFile& decoder, const W& writer) {
    return describe_gguf(decoder, GgufFile(folder.write("m.gguf", writer.file(std::string(64, '\0'))))).config;
  };
  const auto pinpoints = [&](uint64_t n) {
    return tower("mlp")
        .key("clip.vision.mm_patch_merge_type", "spatial_unpad")
        .array("clip.vision.image_grid_pinpoints", W::kI32, n, std::string(4 * n, '\1'));
  };
  CHECK_EQ(described(llama, pinpoints(4)).required_array("image_grid_pinpoints").array().size(), size_t{2});
  CHECK_THROWS(ErrorCode::kModelFormat, described(llama, pinpoints(3)));
  CHECK_THROWS(ErrorCode::kModelFormat,
               described(llama, tower("mlp").key("clip.vision.mm_patch_merge_type", "spatial_unpad")));
  const GgufFile qwen2(golden("internvl/internvl-BF16.gguf"));
  const Json vision = described(qwen2, tower("internvl").tensor("v.blk.0.attn_q_norm.weight", {1}, kF32, 0))
                          .required_object("vision_config");
  CHECK(vision.bool_or("use_qk_norm", false));
  CHECK_EQ(vision.required_string("norm_type"), std::string("rms_norm"));
  CHECK_THROWS(ErrorCode::kModelUnsupported, described(GgufFile(golden("gemma3/gemma3-BF16.gguf")), tower("internvl")));
}

TEST("gguf models: YaRN, and numbers of it that are of other families") {
  const Folder folder("yarn");
  const GgufFile mmproj(golden("internvl/mmproj-internvl-BF16.gguf"));
  const auto text_of = [&](const std::function<void(W&)>& more) {
    W writer;
    writer.key("general.architecture", "qwen2").key("qwen2.block_count", 1u).key("qwen2.attention.head_count", 1u);
    for (const char* key : {"embedding_length", "feed_forward_length"}) writer.key(std::string("qwen2.") + key, 8u);
    writer.key("qwen2.context_length", 4096u).key("qwen2.rope.scaling.type", "yarn");
    writer.key("qwen2.rope.scaling.factor", W::kF32, W::raw(4.0F));
    writer.key("qwen2.rope.scaling.original_context_length", 1024u);
    writer.array("tokenizer.ggml.tokens", W::kString, 1, W::text("a")).tensor("token_embd.weight", {8, 1}, kF32, 0);
    more(writer);
    const GgufFile decoder(folder.write("d.gguf", writer.file(std::string(32, '\0'))));
    return describe_gguf(decoder, mmproj).config.required_object("text_config");
  };
  const Json text = text_of([](W& w) { w.key("qwen2.rope.scaling.yarn_beta_fast", W::kF32, W::raw(16.0F)); });
  const Json& rope = text.required_object("rope_parameters");
  CHECK_EQ(rope.required_string("rope_type"), std::string("yarn"));
  CHECK_EQ(rope.required_number("factor"), 4.0);
  CHECK_EQ(rope.required_int("original_max_position_embeddings"), int64_t{1024});
  CHECK_EQ(rope.required_number("beta_fast"), 16.0);
  CHECK(!rope.has("beta_slow"));
  for (const char* key : {"attn_factor", "yarn_log_multiplier"})
    CHECK_THROWS(ErrorCode::kModelUnsupported,
                 text_of([&](W& w) { w.key(std::string("qwen2.rope.scaling.") + key, W::kF32, W::raw(0.5F)); }));
}

TEST("gguf models: files that belong to nothing here, or to each other in the wrong order") {
  const Folder folder("models");
  const std::string decoder = golden("smolvlm/smolvlm-BF16.gguf"), mmproj = golden("smolvlm/mmproj-smolvlm-BF16.gguf");
  const auto load = [&](const std::string& path, const std::string& projector) {
    LoadOptions options;
    options.mmproj = projector;
    options.threads = 1;
    return load_model(path, options);
  };
  CHECK_EQ(load(decoder, mmproj)->family, std::string("idefics3"));
  CHECK_THROWS(ErrorCode::kModelNotFound, load(decoder, ""));
  CHECK_THROWS(ErrorCode::kModelNotFound, load(decoder, mmproj + ".none"));
  CHECK_THROWS(ErrorCode::kModelUnsupported, load(decoder, decoder));
  CHECK_THROWS(ErrorCode::kModelUnsupported, load(mmproj, mmproj));
  // Of another model: the widths differ.
  CHECK_THROWS(ErrorCode::kModelFormat, load(golden("llava/llava-F32.gguf"), mmproj));
  const std::string qwen = folder.write("q.gguf", W().key("general.architecture", "qwen3").file("x"));
  CHECK_THROWS(ErrorCode::kModelUnsupported, load(qwen, mmproj));
  const std::string other =
      folder.write("p.gguf", W().key("general.architecture", "clip").key("clip.projector_type", "resampler").file("x"));
  CHECK_THROWS(ErrorCode::kModelUnsupported, load(decoder, other));
  CHECK(message_of([&] { load(decoder, other); }).find("\"resampler\"") != std::string::npos);
  const std::string tiles = folder.write(
      "t.gguf", W().key("general.architecture", "clip").key("clip.vision.mm_patch_merge_type", "spatial").file("x"));
  CHECK_THROWS(ErrorCode::kModelUnsupported, load(decoder, tiles));
  CHECK(message_of([&] { load(decoder, tiles); }).find("\"spatial\"") != std::string::npos);
  const std::string deep = folder.write("d.gguf", W().key("general.architecture", "llama")
                                                      .key("llama.block_count", 4000000000u)
                                                      .key("llama.attention.head_count", 4u)
                                                      .tensor("token_embd.weight", {2, 2}, kF32, 0)
                                                      .file(std::string(16, '\0')));
  CHECK_THROWS(ErrorCode::kModelFormat, load(deep, mmproj));
}

}  // namespace fovea::test
