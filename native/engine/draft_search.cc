#include "engine/draft_search.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "engine/steps.h"

namespace fovea {
namespace {

// Takes the last rows out of a session's cache and puts them back.
class CacheTail {
 public:
  CacheTail(Session& session, int64_t n)
      : session_(session),
        n_(n),
        rows_(session.ops, session.cache.n_layers(), session.cache.n_kv_heads(), session.cache.key_values(0).d_head()) {
    const std::vector<SubLayers>& run = session.plan.decode;
    tails_.resize(run.size());
    for (int layer = 0; layer < session.cache.n_layers(); ++layer) {
      if (!run[static_cast<size_t>(layer)].attention) continue;
      if (const ConvTail* tail = session.cache.tail(layer)) {
        tails_[static_cast<size_t>(layer)].emplace(tail->copy());
      } else {
        rows_.append(layer, session.cache, session.cache.length(layer) - n, n);
      }
    }
    session.roll_back(n, run);
  }

  void restore() {
    for (int layer = 0; layer < rows_.n_layers(); ++layer) {
      if (const std::optional<ConvTail>& tail = tails_[static_cast<size_t>(layer)]) {
        session_.cache.tail(layer)->go_on_from(*tail, tail->length());
      } else {
        session_.cache.append(layer, rows_, 0, rows_.length(layer));
      }
      session_.next_position[static_cast<size_t>(layer)] += static_cast<int32_t>(n_);
    }
  }

 private:
  Session& session_;
  int64_t n_;
  KvCache rows_;                                // decoded last, so none of them has left
  std::vector<std::optional<ConvTail>> tails_;  // (n_layers) of layers that convolve
};

}  // namespace

DraftSearcher::DraftSearcher(const DraftSearch& search, const std::vector<SubLayers>& decode,
                             std::vector<SubLayers> start)
    : search_(search), decode_(decode), best_(std::move(start)), random_(search.seed) {}

void DraftSearcher::step(Model& model, Session& session, std::span<const int32_t> history) {
  const bool is_over = score_ >= search_.stop_score && proposals_ > 0;
  if (is_over || since_gain_ >= search_.patience || proposals_ >= search_.proposals) return;
  if (static_cast<int64_t>(history.size()) <= search_.context) return;
  CacheTail tail(session, search_.context);
  score_ = score_of(model, session, history, best_);
  std::vector<SubLayers> proposal = propose();
  const double score = score_of(model, session, history, proposal);
  ++proposals_;
  ++since_gain_;
  if (score > score_) {
    best_ = std::move(proposal);
    score_ = score;
    since_gain_ = 0;
  }
  tail.restore();
}

// The first and the last layer always run; of the others' sub-layers, any so many are left out.
std::vector<SubLayers> DraftSearcher::propose() {
  const auto n = static_cast<int64_t>(2 * (decode_.size() - 2));
  const auto skipped = static_cast<int64_t>(static_cast<double>(n) * search_.skip_ratio);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::vector<SubLayers> run = decode_;
  for (int64_t i = 0; i < skipped; ++i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i + random_.below(n - i))]);
    const int64_t drawn = order[static_cast<size_t>(i)];
    SubLayers& layer = run[static_cast<size_t>(1 + drawn / 2)];
    (drawn % 2 == 0 ? layer.attention : layer.ffn) = false;
  }
  return run;
}

double DraftSearcher::score_of(Model& model, Session& session, std::span<const int32_t> history,
                               const std::vector<SubLayers>& run) {
  const auto n = static_cast<size_t>(search_.context);
  const auto said = history.last(n);
  decode_rows(model, session, history.subspan(history.size() - n - 1, n), run, hidden_, logits_, host_);
  session.roll_back(search_.context, run);
  const auto vocab = static_cast<std::ptrdiff_t>(host_.size() / n);
  int64_t right = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto row = host_.begin() + static_cast<std::ptrdiff_t>(i) * vocab;
    right += std::max_element(row, row + vocab) - row == said[i];
  }
  return static_cast<double>(right) / static_cast<double>(n);
}

}  // namespace fovea
