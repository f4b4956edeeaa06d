#include "engine/engine.h"

#include <algorithm>
#include <new>
#include <string>

#include "engine/forward_pass.h"
#include "engine/steps.h"

namespace fovea {
namespace {

constexpr size_t kMaxQueue = 4096;
constexpr size_t kMaxActive = 16;  // generations that decode together

}  // namespace

Engine::Engine(std::unique_ptr<Model> model, CacheBytes cache_bytes, std::function<void(Event)> emit)
    : model_(std::move(model)),
      emit_(std::move(emit)),
      image_cache_(cache_bytes.images),
      prefix_cache_(cache_bytes.kv),
      thread_([this] { run(); }) {}

Engine::~Engine() { stop(); }

Engine::Flag Engine::add_flag(uint32_t id) { return flags_[id] = std::make_shared<std::atomic<bool>>(false); }

void Engine::submit(Job job) {
  queue_.push_back(std::move(job));
  wake_.notify_one();
}

void Engine::generate(uint32_t id, GenerateRequest request) {
  const std::lock_guard lock(mutex_);
  check_open();
  submit(std::make_unique<Generation>(id, std::move(request), add_flag(id)));
}

void Engine::forward(uint32_t id, ForwardRequest request) {
  const std::lock_guard lock(mutex_);
  check_open();
  submit(ForwardJob{id, std::move(request), add_flag(id)});
}

void Engine::check_open() const {
  if (stopping_) throw Error(ErrorCode::kDisposed, "the model was disposed; load it again");
  if (queue_.size() >= kMaxQueue)
    throw Error(ErrorCode::kInvalidArgument, std::to_string(kMaxQueue) + " requests are waiting; wait for some to end");
}

void Engine::cancel(uint32_t id) {
  const std::lock_guard lock(mutex_);
  const auto flag = flags_.find(id);
  if (flag == flags_.end()) return;
  flag->second->store(true);
  wake_.notify_one();
}

void Engine::answer(uint32_t id, std::vector<double> values) {
  const std::lock_guard lock(mutex_);
  if (asking_ != id) return;
  asking_.reset();
  answer_ = std::move(values);
  wake_.notify_one();
}

Asker Engine::asker(uint32_t id) {
  return [this, id](AskReport report) {
    {
      const std::lock_guard lock(mutex_);
      asking_ = id;
    }
    emit_({id, std::move(report)});
    std::unique_lock lock(mutex_);
    const Flag cancelled = flags_.at(id);
    wake_.wait(lock, [&] { return answer_.has_value() || cancelled->load(); });
    asking_.reset();
    return std::exchange(answer_, std::nullopt);
  };
}

void Engine::stop() {
  const std::lock_guard only_one(stop_mutex_);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [id, flag] : flags_) flag->store(true);
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  active_.clear();
  hidden_ = {};
  logits_ = {};
  image_cache_.clear();
  prefix_cache_.clear();
  model_.reset();
}

// Runs work for a request; an exception ends that request, not the engine.
template <typename Work>
void Engine::guarded(uint32_t id, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    end(id, {id, ErrorReport{error.code(), error.what()}});
  } catch (const std::bad_alloc&) {
    end(id, {id, ErrorReport{ErrorCode::kOutOfMemory,
                             "not enough memory for this request; use fewer images or a shorter prompt"}});
  } catch (const std::exception& error) {
    end(id, {id, ErrorReport{ErrorCode::kInternal, error.what()}});
  }
}

// Emits a request's last event, once.
void Engine::end(uint32_t id, Event event) {
  {
    const std::lock_guard lock(mutex_);
    if (flags_.erase(id) == 0) return;
  }
  emit_(std::move(event));
}

void Engine::run() {
  for (;;) {
    for (Job& job : next_jobs()) start(std::move(job));
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && active_.empty() && queue_.empty()) return;
    }
    step();
  }
}

// Waits until there is something to do. One newcomer at a time, so that those who decode are not held up; all
// cancelled ones, which cost nothing.
std::vector<Engine::Job> Engine::next_jobs() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stopping_ || !queue_.empty() || !active_.empty(); });
  std::vector<Job> jobs;
  bool admitted = active_.size() >= kMaxActive;
  for (auto job = queue_.begin(); job != queue_.end();) {
    const bool cancelled = std::visit(
        [&](const auto& j) {
          if constexpr (requires { j.cancelled; })
            return j.cancelled->load();
          else
            return j->cancelled();
        },
        *job);
    if (cancelled || !admitted) {
      admitted = admitted || !cancelled;
      jobs.push_back(std::move(*job));
      job = queue_.erase(job);
    } else {
      ++job;
    }
  }
  return jobs;
}

void Engine::start(Job job) {
  if (auto* generation = std::get_if<std::unique_ptr<Generation>>(&job)) {
    Generation& g = **generation;
    guarded(g.id(), [&] {
      if (g.cancelled()) {
        g.finish("cancelled");
      } else {
        g.start(*model_, image_cache_, prefix_cache_, asker(g.id()));
      }
      flush(g);
      if (!g.finished()) active_.push_back(std::move(*generation));
    });
    return;
  }
  auto& forward = std::get<ForwardJob>(job);
  guarded(forward.id, [&] {
    end(forward.id,
        {forward.id, forward_pass(*model_, image_cache_, forward.request, asker(forward.id), *forward.cancelled)});
  });
}

// Sends what a generation has to say.
void Engine::flush(Generation& generation) {
  if (TokensReport tokens = generation.take_tokens(); !tokens.tokens.empty())
    emit_({generation.id(), std::move(tokens)});
  if (!generation.finished()) return;
  try {
    generation.leave(*model_, prefix_cache_);
  } catch (const std::exception&) {
    prefix_cache_.clear();  // no memory for it: the request is done all the same
  }
  end(generation.id(), {generation.id(), generation.report()});
}

// One token for every active generation; one round for those that draft. Those that skip different sub-layers cannot
// share a step.
void Engine::step() {
  for (const auto& generation : active_) {
    if (!generation->cancelled()) continue;
    generation->finish("cancelled");
    flush(*generation);
  }
  std::erase_if(active_, [](const auto& generation) { return generation->finished(); });
  std::vector<Generation*> waiting;
  for (const auto& generation : active_) {
    if (generation->decodes_alone())
      step_alone(*generation);
    else
      waiting.push_back(generation.get());
  }
  while (!waiting.empty()) {
    const auto& mask = waiting.front()->session().plan.decode;
    const auto others = std::stable_partition(waiting.begin(), waiting.end(),
                                              [&](Generation* g) { return g->session().plan.decode == mask; });
    step_group({waiting.begin(), others});
    waiting.erase(waiting.begin(), others);
  }
  std::erase_if(active_, [](const auto& generation) { return generation->finished(); });
}

void Engine::step_alone(Generation& generation) {
  guarded(generation.id(), [&] {
    try {
      generation.step_alone(*model_);
    } catch (...) {
      generation.finish("cancelled");  // leaves the active ones; guarded() reports the error
      throw;
    }
    flush(generation);
  });
}

void Engine::step_group(const std::vector<Generation*>& group) {
  const Timer timer;
  const int64_t vocab = model_->decoder->config().vocab;
  std::vector<Session*> sessions;
  std::vector<int32_t> ids;
  for (Generation* generation : group) {
    sessions.push_back(&generation->session());
    ids.push_back(generation->pending());
  }
  std::vector<float> host;
  try {
    const Tensor logits = logits_.resize(*model_->ops, {static_cast<int64_t>(group.size()), vocab});
    decode_step(*model_, sessions, ids, hidden_, logits);
    host.resize(group.size() * static_cast<size_t>(vocab));
    model_->ops->copy_to_host(logits, host.data());
  } catch (...) {
    for (Generation* generation : group) {
      guarded(generation->id(), [] { throw; });
      generation->finish("cancelled");
    }
    return;
  }
  for (size_t i = 0; i < group.size(); ++i) {
    Generation& generation = *group[i];
    generation.add_decode_ms(timer.milliseconds());
    guarded(generation.id(), [&] {
      try {
        generation.accept(std::span(host).subspan(i * static_cast<size_t>(vocab), static_cast<size_t>(vocab)));
      } catch (...) {
        generation.finish("cancelled");  // leaves the group; guarded() reports the error
        throw;
      }
      flush(generation);
    });
  }
}

}  // namespace fovea
