#include "engine/early_exit.h"

#include "engine/cache_stages.h"
#include "engine/hooks.h"
#include "engine/sample.h"

namespace fovea {

EarlyExit::EarlyExit(const LoweredPlan& plan) : plan_(*plan.exit) { report_.tokens.resize(plan.decode.size()); }

std::span<const float> EarlyExit::step(Model& model, Session& session, int32_t token) {
  Decoder& decoder = *model.decoder;
  const DecoderConfig& config = decoder.config();
  RowStream stream;
  stream.hidden = hidden_.resize(*model.ops, {1, config.d_model});
  stream.positions.resize(1);
  stream.sequences.push_back({0, 1, {}, {}});
  decoder.embed({&token, 1}, stream.hidden);
  Session* const sessions[] = {&session};
  KvCache* const caches[] = {&session.cache};
  DecodeHook hook(sessions);
  static const std::atomic<bool> kNever = false;  // a step is short: cancellation is seen between steps
  host_.resize(static_cast<size_t>(config.vocab));

  // Logits of the stream as it is now, which stays as it is.
  const auto look = [&] {
    const Tensor lens = lens_.resize(*model.ops, {1, config.d_model});
    model.ops->copy(stream.hidden, lens);
    decoder.logits(lens, logits_.resize(*model.ops, {1, config.vocab}));
    model.ops->copy_to_host(logits_.view(), host_.data());
  };
  int begin = 0;
  double staying = 1;  // probability of not having left yet
  for (int layer : plan_.layers) {
    decoder.forward(stream, caches, hook, kNever, {begin, layer + 1});
    begin = layer + 1;
    look();
    staying *= 1 - top_probability(host_);
    if (1 - staying <= plan_.q) continue;
    decoder.fill_caches(stream, caches, hook, {begin, config.n_layers});
    compact_decoded(session);
    ++report_.tokens[static_cast<size_t>(layer)];
    return host_;
  }
  decoder.forward(stream, caches, hook, kNever, {begin, config.n_layers});
  compact_decoded(session);
  look();
  ++report_.tokens.back();
  return host_;
}

}  // namespace fovea
