// What the depth probe measures, against the stream's own rows.
#include "engine/depth_probe.h"
#include "engine/steps.h"
#include "test/check.h"
#include "test/tiny_decoder.h"

namespace fovea::test {
namespace {

const std::atomic<bool> kNever = false;

struct Probed {
  TestStream input;
  Session session;
  std::vector<DepthReport> depth{1};

  Probed(TinyDecoder& tiny, const std::string& plan, const TestStream::Prompt& prompt)
      : input(tiny.ops(), tiny.decoder().config().d_model, {prompt}),
        session(tiny.ops(), tiny.decoder().config(), parse_plan(plan, tiny.model.plan_bounds()), false) {
    Session* sessions[] = {&session};
    CHECK(prefill(tiny.model, sessions, input.stream, {}, kNever, depth));
  }
};

}  // namespace

TEST("depth probe: cosine and contribution of a row") {
  const auto is = [](DepthReport::Change got, double cosine, double contribution) {
    CHECK_NEAR(got.cosine, cosine, 1e-7);
    CHECK_NEAR(got.contribution, contribution, 1e-7);
  };
  is(row_change(std::vector<float>{3, 4}, std::vector<float>{3, 4}), 1, 0);
  is(row_change(std::vector<float>{3, 4}, std::vector<float>{6, 8}), 1, 1);
  is(row_change(std::vector<float>{1, 0}, std::vector<float>{1, 1}), std::sqrt(0.5), 1);
  is(row_change(std::vector<float>{1, 0}, std::vector<float>{-1, 0}), -1, 2);
  is(row_change(std::vector<float>{0, 0}, std::vector<float>{0, 0}), 1, 0);
  is(row_change(std::vector<float>{0, 0}, std::vector<float>{0, 1}), 0, 1);
  is(row_change(std::vector<float>{0, 1}, std::vector<float>{0, 0}), 0, 1);
}

TEST("depth probe: changes no bit, and its last rows are those of the stream") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  Probed probed(tiny, "", {9, {}});
  TestStream plain(tiny.ops(), shape.d_model, {{9, {}}});
  Session session(tiny.ops(), tiny.decoder().config(), parse_plan("", tiny.model.plan_bounds()), false);
  Session* sessions[] = {&session};
  const std::vector<float> entering = on_host(tiny.ops(), plain.stream.hidden.slice(8, 1));
  CHECK(prefill(tiny.model, sessions, plain.stream, {}, kNever));
  CHECK(same_floats(on_host(tiny.ops(), probed.input.stream.hidden), on_host(tiny.ops(), plain.stream.hidden)));
  const std::vector<float>& rows = probed.depth[0].last_row;
  REQUIRE(rows.size() == static_cast<size_t>((shape.n_layers + 1) * shape.d_model));
  CHECK(same_floats({rows.begin(), rows.begin() + shape.d_model}, entering));
  CHECK(same_floats({rows.end() - shape.d_model, rows.end()}, on_host(tiny.ops(), plain.stream.hidden.slice(8, 1))));
}

TEST("depth probe: a prompt of one row measures the rows it reports") {
  const TinyShape shape;
  TinyDecoder tiny(shape);
  Probed probed(tiny, "", {1, {}});
  const std::span<const float> rows(probed.depth[0].last_row);
  const auto d = static_cast<size_t>(shape.d_model);
  for (size_t layer = 0; layer < 4; ++layer) {
    const auto& report = probed.depth[0].layers[layer];
    const auto expected = row_change(rows.subspan(layer * d, d), rows.subspan((layer + 1) * d, d));
    const auto& block = report.sums[DepthReport::kText][DepthReport::kBlock];
    CHECK_EQ(block.cosine, expected.cosine);
    CHECK_EQ(block.contribution, expected.contribution);
    CHECK(block.contribution > 0.01);
    CHECK_EQ(report.rows[DepthReport::kText], 1);
    CHECK_EQ(report.rows[DepthReport::kVisual], 0);
  }
}

TEST("depth probe: a half that adds nothing, or does not run, has cosine 1; rows are counted by kind where they are") {
  const TinyShape shape;
  TinyDecoder tiny(shape, {.attention = 1, .ffn = 2});
  const std::string plan = R"({"positions":"compact","stages":[{"name":"half","hook":"decoder-layer","layer":2,"steps":[
      {"do":"select","by":"uniform","to":"k",
    "keep":{"ratio":0.5,"of":"stage","rounding":"trunc"}},{"do":"gather","rows":"k"}]}],
      "skip":[{"layer":3,"part":"attention","phase":"both"}]})";
  Probed probed(tiny, plan, {20, {{3, 8}, {12, 4}}});
  using D = DepthReport;
  for (int layer = 0; layer < 4; ++layer) {
    const D::Layer& report = probed.depth[0].layers[static_cast<size_t>(layer)];
    CHECK_EQ(report.rows[D::kText], 8);
    CHECK_EQ(report.rows[D::kVisual], layer < 2 ? 12 : 6);
    for (const D::Rows kind : {D::kText, D::kVisual}) {
      const auto n = static_cast<double>(report.rows[kind]);
      for (const D::Part part : {D::kAttention, D::kFfn, D::kBlock}) {
        const bool still = (part == D::kAttention && (layer == 1 || layer == 3)) || (part == D::kFfn && layer == 2);
        const D::Change& sum = report.sums[kind][part];
        CHECK_EQ(sum.cosine == n, still);
        CHECK_EQ(sum.contribution == 0, still);
      }
    }
  }
}

}  // namespace fovea::test
