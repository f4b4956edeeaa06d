// Which family loads which model_type: one line each.
#include <map>

#include "io/json.h"
#include "model/families/idefics3.h"
#include "model/families/llava.h"
#include "model/families/qwen_vl.h"
#include "model/model.h"

namespace fovea {
namespace {

using FamilyLoader = void (*)(Model&, const Json& config, const LoadOptions&);

const std::map<std::string, FamilyLoader>& families() {
  static const std::map<std::string, FamilyLoader> kFamilies = {
      {"idefics3", load_idefics3}, {"llava", load_llava},       {"qwen2_5_vl", load_qwen2_5_vl},
      {"qwen2_vl", load_qwen2_vl}, {"qwen3_vl", load_qwen3_vl}, {"smolvlm", load_idefics3},
  };
  return kFamilies;
}

}  // namespace

std::unique_ptr<Model> load_model(const std::string& folder, const LoadOptions& options) {
  const Json config = read_json_file(folder + "/config.json");
  const std::string type = config.required_string("model_type");
  const auto family = families().find(type);
  if (family == families().end()) {
    std::string known;
    for (const auto& [name, loader] : families()) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::kModelUnsupported,
                folder + "/config.json: model_type is \"" + type + "\"; Fovea loads " + known);
  }
  auto model = std::make_unique<Model>();
  model->family = type;
  model->ops = make_cpu_ops(options.threads, "auto");
  model->files = std::make_unique<SafetensorsFolder>(folder);
  model->plan_files = std::make_unique<PlanFiles>(*model->ops);
  family->second(*model, config, options);
  return model;
}

}  // namespace fovea
