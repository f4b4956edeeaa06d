// The CPU backend: truth by naive double-precision loops, and the promise that a row depends on nothing but its inputs.
#include <algorithm>
#include <array>
#include <limits>

#include "base/aligned.h"
#include "base/half.h"
#include "kernels/select.h"
#include "test/backends.h"
#include "test/check.h"
#include "test/numbers.h"

namespace fovea::test {
namespace {

std::unique_ptr<PackedMatrix> pack_f32(Ops& ops, Guarded& w) {
  const Tensor part = w.tensor();
  return ops.pack({&part, 1}, DType::kF32);
}

}  // namespace

TEST("linear: against double precision, every weight type, odd shapes, strided views") {
  each_backend([](Ops& ops) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 33, 588}, {17, 5, 1}, {65, 300, 40}, {200, 17, 70}}) {
      Guarded x(m, k, 1, 3), w(n, k, 2, 1), bias(1, n, 3), out(m, n, 4, 5);
      const Tensor part = w.tensor();
      for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
        const auto packed = ops.pack({&part, 1}, dtype);
        CHECK(packed->outputs() == n && packed->inputs() == k &&
              packed->bytes() >= static_cast<size_t>(n * k) * element_size(dtype));
        ops.linear(x.tensor(), *packed, bias.vector(), out.tensor());
        Guarded twice = out;
        ops.linear(x.tensor(), *packed, bias.vector(), twice.tensor(), true);
        CHECK(out.intact() && twice.intact());
        const double tolerance = dtype == DType::kF32 ? 2e-4 : dtype == DType::kF16 ? 2e-2 : 1.5e-1;
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double truth = bias.at(0, j);
            for (int64_t c = 0; c < k; ++c) truth += double{x.at(i, c)} * w.at(j, c);
            CHECK_NEAR(out.at(i, j), truth, tolerance);
            CHECK_EQ(twice.at(i, j), out.at(i, j) + out.at(i, j));
          }
      }
    }
  });
}

TEST("linear_activated and linear_gated: the same bits as a product and an activation after it") {
  each_backend([](Ops& ops) {
    const KernelTable kernels = select_kernels(ops.tier());
    for (const auto& [m, d, k] : {std::array<int64_t, 3>{1, 5, 20}, {3, 16, 33}, {200, 40, 600}, {14, 300, 70}})
      for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kInt8, DType::kInt4})
        for (const bool with_bias : {false, true}) {
          Guarded x(m, k, 1, 3), w(2 * d, k, 2), bias(1, 2 * d, 3), both(m, 2 * d, 4, 5), out(m, d, 5, 2);
          const Tensor part = w.tensor(), added = with_bias ? bias.vector() : Tensor();
          const auto plain = ops.pack({&part, 1}, dtype);
          ops.linear(x.tensor(), *plain, added, both.tensor());
          ops.linear_gated(x.tensor(), *ops.pack({&part, 1}, dtype, Outputs::kGated), added, Activation::kSilu,
                           out.tensor());
          std::vector<float> gates(static_cast<size_t>(d));
          for (int64_t i = 0; i < m; ++i) {
            std::copy_n(&both.at(i, 0), d, gates.begin());
            kernels.activate[static_cast<size_t>(Activation::kSilu)](gates.data(), d);
            for (int64_t j = 0; j < d; ++j) CHECK_EQ(out.at(i, j), gates[static_cast<size_t>(j)] * both.at(i, d + j));
          }
          Guarded activated(m, 2 * d, 6, 5);
          ops.linear_activated(x.tensor(), *plain, added, Activation::kGelu, activated.tensor());
          for (int64_t i = 0; i < m; ++i)
            kernels.activate[static_cast<size_t>(Activation::kGelu)](&both.at(i, 0), 2 * d);
          CHECK(out.intact() && activated.intact() && activated.same(both));
        }
  });
}

TEST("linear: a row has the same bits whatever m, threads and tier") {
  constexpr int64_t kRows = 200, kOutputs = 330, kInputs = 700;
  Guarded x(kRows, kInputs, 1), w(kOutputs, kInputs, 2), bias(1, kOutputs, 3), truth(kRows, kOutputs, 4);
  const auto scalar = make_cpu_ops(1, "scalar");
  scalar->linear(x.tensor(), *pack_f32(*scalar, w), bias.vector(), truth.tensor());
  for (const std::string& tier : available_tiers())
    for (const int threads : {1, 2, 3}) {
      if (tier == "scalar" && threads > 2) continue;
      const auto ops = make_cpu_ops(threads, tier);
      const auto packed = pack_f32(*ops, w);
      for (const int64_t m : {int64_t{1}, int64_t{2}, int64_t{13}, int64_t{63}, kRows}) {
        Guarded out(kRows, kOutputs, 4);
        const Tensor view = out.tensor();
        // The last m rows, so that a row is at different places of a block.
        ops->linear(x.tensor().slice(kRows - m, m), *packed, bias.vector(), view.slice(kRows - m, m));
        CHECK(same_bits(&out.at(kRows - m, 0), &truth.at(kRows - m, 0), m * kOutputs));
      }
    }
}

TEST("pack: stacks parts of different types, converts exactly") {
  each_backend([](Ops& ops) {
    constexpr int64_t kInputs = 37;
    Guarded a(5, kInputs, 1), b(20, kInputs, 2, 4);
    std::vector<uint16_t> halves;
    for (int64_t i = 0; i < 3 * kInputs; ++i) halves.push_back(f32_to_f16(b.at(0, i % kInputs)));
    const Tensor parts[] = {a.tensor(), Tensor(halves.data(), DType::kF16, Device::kCpu, {3, kInputs}), b.tensor()};
    const auto packed = ops.pack(parts, DType::kF32);
    REQUIRE(packed->outputs() == 28);
    // One-hot rows read the matrix back.
    std::vector<float> one_hot(kInputs * kInputs, 0.0f);
    for (int64_t i = 0; i < kInputs; ++i) one_hot[static_cast<size_t>(i * kInputs + i)] = 1.0f;
    Guarded out(kInputs, 28, 3);
    ops.linear(Tensor(one_hot.data(), DType::kF32, Device::kCpu, {kInputs, kInputs}), *packed, {}, out.tensor());
    for (int64_t i = 0; i < kInputs; ++i) {
      for (int64_t j = 0; j < 5; ++j) CHECK_EQ(out.at(i, j), a.at(j, i));
      for (int64_t j = 0; j < 3; ++j)
        CHECK_EQ(out.at(i, 5 + j), f16_to_f32(halves[static_cast<size_t>(j * kInputs + i)]));
      for (int64_t j = 0; j < 20; ++j) CHECK_EQ(out.at(i, 8 + j), b.at(j, i));
    }
  });
}

TEST("pack: says every now and then that it has read some, and stops when that throws") {
  const auto ops = make_cpu_ops(2, "auto");
  std::vector<float> numbers(size_t{5} << 22, 0.5F);  // 80 MB
  const Tensor part(numbers.data(), DType::kF32, Device::kCpu, {5 << 12, 1 << 10});
  int calls = 0;
  ops->pack({&part, 1}, DType::kInt8, Outputs::kPlain, [&] { ++calls; });
  CHECK_EQ(calls, 3);
  CHECK_THROWS(ErrorCode::kDisposed, ops->pack({&part, 1}, DType::kInt8, Outputs::kPlain,
                                               [] { throw Error(ErrorCode::kDisposed, "enough"); }));
}

TEST("pack: NaN, infinity and overflow are refused") {
  const auto ops = make_cpu_ops(2, "auto");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Guarded w(40, 30, 1);
    w.at(39, 29) = bad;
    CHECK_THROWS(ErrorCode::kNumeric, pack_f32(*ops, w));
  }
  Guarded w(40, 30, 1);
  w.at(17, 3) = 1e6f;
  const Tensor part = w.tensor();
  CHECK_THROWS(ErrorCode::kNumeric, ops->pack({&part, 1}, DType::kF16));
  CHECK_EQ(ops->pack({&part, 1}, DType::kBF16)->outputs(), 40);
}

TEST("linear: refuses what was packed for another op") {
  const auto ops = make_cpu_ops(1, "auto");
  Guarded x(2, 8, 1), w(6, 8, 2), out(2, 6, 3);
  const Tensor part = w.tensor(), odd = part.slice(0, 5);
  CHECK_THROWS(ErrorCode::kInternal, ops->pack({&odd, 1}, DType::kF32, Outputs::kGated));
  CHECK_THROWS(ErrorCode::kInternal,
               ops->linear(x.tensor(), *ops->pack({&part, 1}, DType::kF32, Outputs::kGated), {}, out.tensor()));
  CHECK_THROWS(ErrorCode::kInternal,
               ops->linear_gated(x.tensor(), *ops->pack({&part, 1}, DType::kF32), {}, Activation::kSilu, out.tensor()));
}

TEST("a packed matrix multiplies from wherever its storage lies, and only what is its storage") {
  each_backend([](Ops& ops) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kInt8, DType::kInt4}) {
      Guarded x(5, 71, 1), w(37, 71, 2), expected(5, 37, 3), out(5, 37, 4);
      const Tensor part = w.tensor();
      const auto packed = ops.pack({&part, 1}, dtype);
      const std::span<const std::byte> storage = packed->storage();
      CHECK_EQ(storage.size(), packed->bytes());
      const AlignedBuffer copy(storage.size() + kAlignment);
      std::ranges::copy(storage, copy.as<std::byte>());
      const std::span<const std::byte> whole{copy.as<std::byte>(), storage.size()};
      const auto mapped = ops.packed_in(whole, 37, 71, dtype);
      ops.linear(x.tensor(), *packed, {}, expected.tensor());
      ops.linear(x.tensor(), *mapped, {}, out.tensor());
      for (int64_t i = 0; i < 5; ++i)
        for (int64_t j = 0; j < 37; ++j) CHECK_EQ(out.at(i, j), expected.at(i, j));
      CHECK(ops.packed_in(whole.first(whole.size() - 1), 37, 71, dtype) == nullptr);
      CHECK(ops.packed_in(whole, 71, 37, dtype) == nullptr);
      CHECK(ops.packed_in({whole.data() + 1, whole.size()}, 37, 71, dtype) == nullptr);
    }
  });
}

TEST("scale_columns: every row times the same numbers, and rows of strided views alone") {
  each_backend([](Ops& ops) {
    Guarded x(9, 33, 1, 3), factors(1, 33, 2);
    const Guarded before = x;
    ops.scale_columns(x.tensor(), factors.vector());
    CHECK(x.intact());
    for (int64_t i = 0; i < 9; ++i)
      for (int64_t c = 0; c < 33; ++c) CHECK_EQ(x.at(i, c), before.at(i, c) * factors.at(0, c));
  });
}

TEST("dot_rows: in double precision, symmetric in its bits, one row at a time or all at once") {
  each_backend([](Ops& ops) {
    for (const auto& [m, k] : {std::array<int64_t, 2>{1, 1}, {65, 33}, {300, 100}}) {
      Guarded a(m, k, 1, 2);
      std::vector<double> out(static_cast<size_t>(m * m)), row(static_cast<size_t>(m));
      ops.dot_rows(a.tensor(), a.tensor(), out);
      for (int64_t i = 0; i < m; i += 5) {
        ops.dot_rows(a.tensor().slice(i, 1), a.tensor(), row);
        for (int64_t j = 0; j < m; ++j) {
          double truth = 0;
          for (int64_t c = 0; c < k; ++c) truth += double{a.at(i, c)} * a.at(j, c);
          CHECK_NEAR(out[static_cast<size_t>(i * m + j)], truth, 1e-12);
          CHECK_EQ(out[static_cast<size_t>(i * m + j)], out[static_cast<size_t>(j * m + i)]);
          CHECK_EQ(out[static_cast<size_t>(i * m + j)], row[static_cast<size_t>(j)]);
        }
      }
    }
    CHECK_THROWS(ErrorCode::kInternal, [&] {
      Guarded a(2, 3, 1);
      std::vector<double> out(3);
      ops.dot_rows(a.tensor(), a.tensor(), out);
    }());
  });
}

TEST("norms, activations, sums: rows of strided views equal the kernels") {
  each_backend([](Ops& ops) {
    const KernelTable kernels = select_kernels(ops.tier());
    constexpr int64_t kRows = 300, kWidth = 90;
    Guarded x(kRows, kWidth, 1, 6), w(1, kWidth, 2), b(1, kWidth, 3), out(kRows, kWidth, 4, 2);
    std::vector<float> row(kWidth);
    const auto check = [&](auto&& kernel) {
      CHECK(out.intact());
      for (int64_t i = 0; i < kRows; ++i) {
        std::copy_n(&x.at(i, 0), kWidth, row.begin());
        kernel(row.data());
        CHECK(same_bits(&out.at(i, 0), row.data(), kWidth));
      }
    };
    ops.rms_norm(x.tensor(), w.vector(), 1e-5f, out.tensor());
    check([&](float* r) { kernels.rms_norm(r, w.data(), 1e-5f, kWidth, r); });
    ops.layer_norm(x.tensor(), w.vector(), b.vector(), 1e-5f, out.tensor());
    check([&](float* r) { kernels.layer_norm(r, w.data(), b.data(), 1e-5f, kWidth, r); });
    ops.normalise_rows(x.tensor(), out.tensor());
    check([&](float* r) { kernels.normalise(r, kWidth, r); });
    ops.copy(x.tensor(), out.tensor());
    ops.add(out.tensor(), b.vector());
    check([&](float* r) { kernels.add(r, b.data(), kWidth); });
    ops.copy(x.tensor(), out.tensor());
    ops.add(out.tensor(), x.tensor());
    check([&](float* r) { kernels.scale(r, 2.0f, kWidth, r); });
  });
}

TEST("rope: table and rotation against double precision") {
  each_backend([](Ops& ops) {
    const std::vector<Position> positions = {0, 1, {3, 7, 2}, {700, 700, 90}};
    const std::vector<Axis> axes = {Axis::kTime, Axis::kHeight, Axis::kWidth, Axis::kHeight};
    const std::vector<float> inv_freq = {1.0f, 0.1f, 0.01f, 0.001f};
    Guarded table(4, 8, 1, 2), x(4, 24, 2, 1), before = x;
    ops.rope_table(positions, inv_freq, axes, table.tensor());
    ops.rope(x.heads(3), table.tensor());
    CHECK(table.intact() && x.intact());
    for (int64_t row = 0; row < 4; ++row)
      for (int64_t i = 0; i < 4; ++i) {
        const double angle = static_cast<float>(positions[static_cast<size_t>(row)].on(axes[static_cast<size_t>(i)])) *
                             inv_freq[static_cast<size_t>(i)];
        CHECK_NEAR(table.at(row, i), std::cos(angle), 1e-6);
        CHECK_NEAR(table.at(row, 4 + i), std::sin(angle), 1e-6);
        const double a = before.at(row, 8 + i), b = before.at(row, 12 + i);  // head 1
        CHECK_NEAR(x.at(row, 8 + i), a * std::cos(angle) - b * std::sin(angle), 1e-6);
        CHECK_NEAR(x.at(row, 12 + i), b * std::cos(angle) + a * std::sin(angle), 1e-6);
      }
  });
}

TEST("embed and gather_rows: the right rows, in place too, never outside") {
  each_backend([](Ops& ops) {
    Guarded table(50, 19, 1), out(3, 19, 2, 1);
    std::vector<uint16_t> f16, bf16;
    for (int64_t i = 0; i < 50 * 19; ++i) {
      f16.push_back(f32_to_f16(table.data()[i]));
      bf16.push_back(f32_to_bf16(table.data()[i]));
    }
    const std::vector<int32_t> ids = {49, 0, 7}, bad = {3, 50, 1}, negative = {-1, 0, 0};
    ops.embed(table.tensor(), ids, out.tensor());
    CHECK(out.intact() && same_bits(&out.at(0, 0), &table.at(49, 0), 19));
    ops.embed(Tensor(f16.data(), DType::kF16, Device::kCpu, {50, 19}), ids, out.tensor());
    CHECK_EQ(out.at(2, 18), f16_to_f32(f16[7 * 19 + 18]));
    ops.embed(Tensor(bf16.data(), DType::kBF16, Device::kCpu, {50, 19}), ids, out.tensor());
    CHECK_EQ(out.at(2, 18), bf16_to_f32(bf16[7 * 19 + 18]));
    CHECK_THROWS(ErrorCode::kInternal, ops.embed(table.tensor(), bad, out.tensor()));
    CHECK_THROWS(ErrorCode::kInternal, ops.embed(table.tensor(), negative, out.tensor()));

    ops.gather_rows(table.tensor(), ids, out.tensor());
    CHECK(same_bits(&out.at(2, 0), &table.at(7, 0), 19));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(table.tensor(), bad, out.tensor()));
    Guarded x = table;
    const std::vector<int32_t> keep = {1, 2, 30};
    ops.gather_rows(x.tensor(), keep, x.tensor().slice(0, 3));
    for (int64_t i = 0; i < 3; ++i) CHECK(same_bits(&x.at(i, 0), &table.at(keep[static_cast<size_t>(i)], 0), 19));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(x.tensor(), ids, x.tensor().slice(0, 3)));
    CHECK_THROWS(ErrorCode::kInternal, ops.gather_rows(x.tensor(), keep, x.tensor().slice(1, 3)));
  });
}

TEST("patches: every pixel in its place, the rest cut") {
  each_backend([](Ops& ops) {
    constexpr int64_t kImages = 2, kChannels = 3, kHeight = 11, kWidth = 14, kPatch = 4;
    Guarded pixels(kImages, kChannels * kHeight * kWidth, 1), out(kImages * 2 * 3, kChannels * kPatch * kPatch, 2, 1);
    ops.patches(pixels.tensor().reshape_rows({kChannels, kHeight, kWidth}), kPatch, out.tensor());
    CHECK(out.intact());
    for (int64_t row = 0; row < kImages * 6; ++row)
      for (int64_t j = 0; j < kChannels * 16; ++j) {
        const int64_t y = row % 6 / 3 * kPatch + j % 16 / 4, x = row % 3 * kPatch + j % 4;
        CHECK_EQ(out.at(row, j), pixels.at(row / 6, (j / 16 * kHeight + y) * kWidth + x));
      }
  });
}

TEST("memory: copies to and from the host, aligned allocation, an error when there is none") {
  const auto ops = make_cpu_ops(1, "auto");
  Guarded x(5, 7, 1, 3);
  const Buffer buffer = ops->allocate(5 * 7 * sizeof(float));
  CHECK_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
  std::vector<float> host(35), back(35);
  ops->copy_to_host(x.tensor(), host.data());
  const Tensor there(buffer.data(), DType::kF32, Device::kCpu, {5, 7});
  ops->copy_from_host(host.data(), there);
  ops->copy_to_host(there, back.data());
  for (int64_t i = 0; i < 35; ++i) CHECK_EQ(back[static_cast<size_t>(i)], x.at(i / 7, i % 7));
  CHECK_THROWS(ErrorCode::kOutOfMemory, ops->allocate(std::numeric_limits<size_t>::max() / 2));
  CHECK(ops->all_finite(x.tensor()));
  x.at(4, 6) = INFINITY;
  CHECK(!ops->all_finite(x.tensor()));
}

TEST("shapes: a mismatch names the op and the shapes") {
  const auto ops = make_cpu_ops(1, "auto");
  Guarded x(4, 6, 1), w(5, 7, 2), out(4, 5, 3);
  const auto packed = pack_f32(*ops, w);
  try {
    ops->linear(x.tensor(), *packed, {}, out.tensor());
    CHECK(false);
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.find("linear") != std::string::npos && text.find("(4, 6)") != std::string::npos);
  }
  CHECK_THROWS(ErrorCode::kInternal, ops->add(x.tensor(), w.tensor()));
  CHECK_THROWS(ErrorCode::kInternal, ops->rms_norm(x.tensor(), w.vector(), 0.0f, x.tensor()));
  CHECK_THROWS(ErrorCode::kInternal, ops->linear_activated(x.tensor(), *packed, {}, Activation::kRelu, out.tensor()));
  const AttentionSegment too_few{0, 4, x.heads(1).slice(0, 3), x.heads(1).slice(0, 3), true};
  CHECK_THROWS(ErrorCode::kInternal, ops->attention(x.heads(1), {&too_few, 1}, 1.0f, x.heads(1)));
  CHECK_THROWS(ErrorCode::kInternal, ops->patches(x.tensor().reshape_rows({1, 2, 3}), 3, out.tensor()));
}

TEST("make_cpu_ops: threads and tier are checked") {
  CHECK_THROWS(ErrorCode::kInvalidArgument, make_cpu_ops(-1, "auto"));
  CHECK_THROWS(ErrorCode::kInvalidArgument, make_cpu_ops(100000, "auto"));
  CHECK_THROWS(ErrorCode::kIsa, make_cpu_ops(1, "sse9"));
  CHECK(make_cpu_ops(0, "auto")->threads() >= 1);
  CHECK_EQ(make_cpu_ops(3, "scalar")->threads(), 3);
  CHECK_EQ(make_cpu_ops(1, "auto")->tier(), select_kernels("auto").tier);
}

}  // namespace fovea::test
