#include "engine/generation.h"

#include <algorithm>
#include <string>

#include "engine/prompt.h"
#include "engine/steps.h"
#include "ops/host_copy.h"

namespace fovea {
namespace {

// What a stage inside the decoder or on the KV cache keeps may depend on the whole prompt; and so may every row.
bool may_resume(const DecoderConfig& config, const LoweredPlan& plan) {
  if (config.view == PromptView::kPrompt) return false;
  return std::all_of(plan.stages.begin(), plan.stages.end(),
                     [](const PlanStage& stage) { return stage.hook <= Hook::kProjected; });
}

}  // namespace

void Generation::start(Model& model, ImageCache& cache, PrefixCache& prefixes, Asker ask) {
  timings_.queue = since_submit_.milliseconds();
  const DecoderConfig& config = model.decoder->config();
  prompt_rows_ = static_cast<int64_t>(request_.input_ids.size());
  if (prompt_rows_ == 0) throw Error(ErrorCode::kInvalidArgument, "the prompt is empty; give at least one token");
  if (prompt_rows_ >= config.context)
    throw Error(ErrorCode::kContextLength,
                "the prompt has " + std::to_string(prompt_rows_) + " rows before pruning; this model's context holds " +
                    std::to_string(config.context) + " with the answer. Use a shorter prompt or fewer images.");
  session_.emplace(*model.ops, config, parse_plan(request_.plan, model.plan_bounds()), request_.keep_lists);
  session_->prompt = request_.input_ids;
  session_->ask = std::move(ask);
  if (session_->plan.draft) speculation_.emplace(session_->plan);
  if (session_->plan.exit) early_exit_.emplace(session_->plan);
  sampler_.emplace(request_.sampling, config.vocab);
  sampler_->observe(request_.input_ids);
  token_limit_ = std::min(request_.max_tokens, config.context - prompt_rows_);

  const Timer encode;
  ImageRows images;
  if (!images.encode(model, request_.images, session_->plan, request_.keep_lists, cache, *cancelled_,
                     /*keep_features=*/false))
    return finish("cancelled");
  visual_rows_ = images.prompt_rows();
  cached_images_ = images.cached();
  timings_.encode = encode.milliseconds();
  request_.images.clear();

  const Timer prefill_timer;
  DeviceArray hidden, planes, logits;
  RowStream stream;
  const Tensor memory = hidden.resize(*model.ops, {prompt_rows_, config.d_model});
  if (append_sequence(model, request_.input_ids, images, 0, session_->plan.positions, memory,
                      plane_memory(model, prompt_rows_, planes), stream) != images.count())
    throw Error(ErrorCode::kInvalidArgument, "the prompt has image tokens for fewer images than were given");
  session_->stages = images.reports(0, images.count());
  session_->select_ms = images.select_ms();
  Session* sessions[] = {&*session_};
  const bool reuses = request_.reuse && prefixes.keeps_any() && may_resume(config, session_->plan);
  if (!prefill(model, sessions, stream, images.taps(), *cancelled_, {}, reuses ? &prefixes : nullptr)) {
    session_->input.reset();
    return finish("cancelled");
  }
  model.decoder->logits(stream.hidden.slice(stream.hidden.rows() - 1, 1), logits.resize(*model.ops, {1, config.vocab}));
  std::vector<float> host(static_cast<size_t>(config.vocab));
  model.ops->copy_to_host(logits.view(), host.data());
  for (int layer = 0; layer < config.n_layers; ++layer)
    kv_rows_.push_back(static_cast<int32_t>(session_->cache.length(layer)));
  timings_.prefill = prefill_timer.milliseconds();
  timings_.select = session_->select_ms;
  if (token_limit_ <= 0) return finish("length");
  accept(host);
}

void Generation::accept(std::span<const float> logits) {
  SampledToken token = sampler_->sample(logits);
  last_ = token.id;
  sampled_.push_back(token.id);
  if (std::find(request_.stop_ids.begin(), request_.stop_ids.end(), token.id) != request_.stop_ids.end())
    return finish("stop");
  fresh_.push_back(std::move(token));
  if (++generated_ >= token_limit_) finish("length");
}

void Generation::step_alone(Model& model) {
  const Timer timer;
  if (early_exit_) {
    accept(early_exit_->step(model, *session_, last_));
  } else {
    speculation_->round(model, *session_, {last_, *sampler_, request_.stop_ids, token_limit_ - generated_, *cancelled_},
                        [&](std::span<const float> logits) {
                          accept(logits);
                          return Verdict{last_, finished()};
                        });
  }
  add_decode_ms(timer.milliseconds());
}

void Generation::leave(Model& model, PrefixCache& prefixes) {
  if (!session_ || !session_->input) return;
  const LoweredPlan& plan = session_->plan;
  DecoderInput& input = *session_->input;
  KvCache& cache = session_->cache;
  int64_t length = 0;
  for (int layer = 0; layer < cache.n_layers(); ++layer) length = std::max(length, cache.rows(layer));
  // The answer's rows count if they ran as a prompt's do. What was drawn last has not run, or was a wrong guess.
  const bool same = plan.decode == plan.prefill && !plan.exit;
  const int64_t ran =
      same ? std::clamp(static_cast<int64_t>(sampled_.size()) - 1, int64_t{0}, length - input.count()) : 0;
  const int64_t count = cache.resumable(input.count() + ran), said = count - input.count();
  for (int layer = 0; layer < cache.n_layers(); ++layer)
    cache.drop_last(layer, std::max(int64_t{0}, cache.rows(layer) - count));
  if (said < 0) {
    input.keep_first(count);
  } else if (said > 0) {
    DeviceArray memory;
    const Tensor rows = memory.resize(*model.ops, {said, model.decoder->config().d_model});
    model.decoder->embed(std::span(sampled_).first(static_cast<size_t>(said)), rows);
    const std::vector<float> numbers = host_copy(*model.ops, rows);
    const int64_t width = input.width(), d = rows.row_elements();
    for (int64_t i = 0; i < said; ++i) {
      input.rows.insert(input.rows.end(), numbers.begin() + i * d, numbers.begin() + (i + 1) * d);
      input.rows.resize(input.rows.size() + static_cast<size_t>(width - d), 0.0F);  // no layer adds to text
    }
    const int32_t next = next_position(input.positions);
    for (int64_t i = 0; i < said; ++i) {
      input.positions.push_back(next + static_cast<int32_t>(i));
      input.sees.push_back(input.count());
    }
  }
  prefixes.insert(std::move(input), std::move(cache));
  session_->input.reset();
}

EndReport Generation::report() const {
  EndReport report;
  report.finish_reason = finish_reason_;
  report.prompt_rows = prompt_rows_;
  report.visual_rows = visual_rows_;
  report.cached_images = cached_images_;
  report.generated_tokens = generated_;
  report.timings = timings_;
  report.kv_rows = kv_rows_;
  if (session_) {
    report.stages = session_->stages;
    report.cached_rows = session_->cached_rows;
  }
  if (speculation_) report.draft = speculation_->report();
  if (early_exit_) report.exit = early_exit_->report();
  return report;
}

}  // namespace fovea
