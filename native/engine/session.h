// One sequence on its way through the decoder: its cache, its plan, and what the plan did to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/request.h"
#include "model/decoder/decoder.h"
#include "prune/plan.h"

namespace fovea {

struct Session {
  Session(Ops& device, const DecoderConfig& config, const LoweredPlan& lowered, bool report_keep_lists)
      : ops(device),
        plan(lowered),
        keep_lists(report_keep_lists),
        cache(ops, config.n_layers, config.n_kv_heads, config.d_head, config.conv_layers()),
        cache_state{std::vector<CacheLayer>(static_cast<size_t>(config.n_layers)), {}, {}},
        next_position(static_cast<size_t>(config.n_layers), 0) {}

  // Forgets the last n decoded rows, which ran through the sub-layers `run` (n_layers). Layers differ in length, so
  // this counts rows and sets no length.
  void roll_back(int64_t n, const std::vector<SubLayers>& run) {
    for (int layer = 0; layer < cache.n_layers(); ++layer) {
      if (run[static_cast<size_t>(layer)].attention) cache.drop_last(layer, n);
      next_position[static_cast<size_t>(layer)] -= static_cast<int32_t>(n);
    }
  }

  Ops& ops;
  LoweredPlan plan;
  bool keep_lists;
  std::vector<int32_t> prompt;  // token ids, before pruning
  KvCache cache;
  CacheState cache_state;  // what the plan's stages on the cache know
  // (n_layers) position of the next generated row, on every axis; layers differ after `compact`.
  std::vector<int32_t> next_position;
  Asker ask;                          // its caller
  std::optional<DecoderInput> input;  // what entered the decoder, where later prompts may go on from it
  int64_t cached_rows = 0;            // of it, whose keys and values were known
  std::vector<StageReport> stages;
  double select_ms = 0;
};

}  // namespace fovea
