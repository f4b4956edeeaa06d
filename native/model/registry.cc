// Which family loads which model_type: one line each.
#include <map>
#include <utility>
#include <vector>

#include "io/gguf_tensors.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "model/families/gemma3.h"
#include "model/families/idefics3.h"
#include "model/families/internvl.h"
#include "model/families/lfm2_vl.h"
#include "model/families/llava.h"
#include "model/families/paligemma.h"
#include "model/families/qwen_vl.h"
#include "model/gguf/gguf_model.h"
#include "model/model.h"

namespace fovea {
namespace {

using FamilyLoader = void (*)(Model&, const Json& config, const LoadOptions&);

const std::map<std::string, FamilyLoader>& families() {
  static const std::map<std::string, FamilyLoader> kFamilies = {
      {"gemma3", load_gemma3},         {"idefics3", load_idefics3},   {"internvl", load_internvl},
      {"lfm2_vl", load_lfm2_vl},       {"llava", load_llava},         {"llava_next", load_llava},
      {"llava_onevision", load_llava}, {"paligemma", load_paligemma}, {"qwen2_5_vl", load_qwen2_5_vl},
      {"qwen2_vl", load_qwen2_vl},     {"qwen3_vl", load_qwen3_vl},   {"smolvlm", load_idefics3},
  };
  return kFamilies;
}

// where: of the config, for messages.
FamilyLoader family_of(const std::string& where, const Json& config) {
  const std::string& type = config.required_string("model_type");
  const auto family = families().find(type);
  if (family != families().end()) return family->second;
  std::string known;
  for (const auto& [name, loader] : families()) known += (known.empty() ? "" : ", ") + name;
  throw Error(ErrorCode::kModelUnsupported, where + ": model_type is \"" + type + "\"; Fovea loads " + known);
}

// A family's loader and what it reads.
struct Description {
  FamilyLoader load;
  Json config;
  std::unique_ptr<TensorSource> files;
};

Description open_folder(const std::string& folder) {
  const std::string path = folder + "/config.json";
  Json config = read_json_file(path);
  const FamilyLoader load = family_of(path, config);  // before the weights: without it, these are of no use
  return {load, std::move(config), std::make_unique<SafetensorsFolder>(folder)};
}

Description open_gguf(const std::string& path, const LoadOptions& options) {
  const std::string& mmproj = options.mmproj;
  if (mmproj.empty())
    throw Error(ErrorCode::kModelNotFound, path + " holds a decoder alone; name the mmproj file with its vision tower");
  std::vector<GgufFile> files;
  files.emplace_back(path);
  files.emplace_back(mmproj);
  GgufModel model = describe_gguf(files[0], files[1]);
  const FamilyLoader load = family_of(mmproj, model.config);
  return {load, std::move(model.config),
          std::make_unique<GgufTensors>(std::move(files), std::move(model.names), options.threads)};
}

}  // namespace

std::unique_ptr<Model> load_model(const std::string& path, const LoadOptions& options) {
  const bool is_gguf = path.ends_with(".gguf") || !options.mmproj.empty();
  Description description = is_gguf ? open_gguf(path, options) : open_folder(path);
  auto model = std::make_unique<Model>();
  model->family = description.config.required_string("model_type");
  model->ops = make_cpu_ops(options.threads, "auto");
  model->files = std::move(description.files);
  model->plan_files = std::make_unique<PlanFiles>(*model->ops);
  if (!options.weight_cache.empty()) model->packed_cache = std::make_unique<PackedCache>(options.weight_cache);
  description.load(*model, description.config, options);
  if (model->packed_cache) model->packed_cache->finish();
  return model;
}

}  // namespace fovea
