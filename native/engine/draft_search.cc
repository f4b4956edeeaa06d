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
  CacheTail(Ops& ops, Session& session, int64_t n) : session_(session), n_(n) {
    const std::vector<SubLayers>& run = session.plan.decode;
    layers_.resize(run.size());
    for (size_t i = 0; i < run.size(); ++i) {
      if (!run[i].attention) continue;
      const int layer = static_cast<int>(i);
      if (const ConvTail* tail = session.cache.tail(layer)) {
        layers_[i].tail.emplace(tail->copy());
        continue;
      }
      const int64_t first = session.cache.length(layer) - n;
      copy(ops, session.cache.keys(layer).slice(first, n), layers_[i].k);
      copy(ops, session.cache.values(layer).slice(first, n), layers_[i].v);
      const std::vector<int32_t>& places = session.cache.places(layer).front();
      layers_[i].places.assign(places.end() - n, places.end());
    }
    session.roll_back(n, run);
  }

  void restore() {
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].tail) {
        session_.cache.tail(static_cast<int>(i))->go_on_from(*layers_[i].tail, layers_[i].tail->length());
      } else if (session_.plan.decode[i].attention) {
        session_.cache.append(static_cast<int>(i), layers_[i].k.view(), layers_[i].v.view(), layers_[i].places);
      }
      session_.next_position[i] += static_cast<int32_t>(n_);
    }
  }

 private:
  struct Layer {
    std::optional<ConvTail> tail;  // of a layer that convolves, and nothing else
    DeviceArray k, v;              // (n, n_kv_heads, d_head)
    std::vector<int32_t> places;   // (n) the same for all heads: rows that were decoded last have not left
  };

  static void copy(Ops& ops, const Tensor& rows, DeviceArray& to) {
    ops.copy(rows, to.resize(ops, {rows.rows(), rows.shape[1], rows.shape[2]}));
  }

  Session& session_;
  int64_t n_;
  std::vector<Layer> layers_;
};

}  // namespace

DraftSearcher::DraftSearcher(const DraftSearch& search, const std::vector<SubLayers>& decode,
                             std::vector<SubLayers> start)
    : search_(search), decode_(decode), best_(std::move(start)), random_(search.seed) {}

void DraftSearcher::step(Model& model, Session& session, std::span<const int32_t> history) {
  const bool is_over = score_ >= search_.stop_score && proposals_ > 0;
  if (is_over || since_gain_ >= search_.patience || proposals_ >= search_.proposals) return;
  if (static_cast<int64_t>(history.size()) <= search_.context) return;
  CacheTail tail(*model.ops, session, search_.context);
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
