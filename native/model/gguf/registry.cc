// Which family a projector belongs to: one line each.
#include <map>

#include "model/gguf/families.h"
#include "model/gguf/gguf_model.h"

namespace fovea {
namespace {

using Describe = GgufModel (*)(const GgufFile& decoder, const GgufFile& mmproj);

const std::map<std::string, Describe>& projectors() {
  static const std::map<std::string, Describe> kProjectors = {
      {"gemma3", describe_gguf_gemma3},
      {"idefics3", describe_gguf_idefics3},
      {"internvl", describe_gguf_internvl},
      {"lfm2", describe_gguf_lfm2_vl},
      {"mlp", describe_gguf_llava},
      {"qwen2.5vl_merger", describe_gguf_qwen2_5_vl},
      {"qwen2vl_merger", describe_gguf_qwen2_vl},
      {"qwen3vl_merger", describe_gguf_qwen3_vl},
  };
  return kProjectors;
}

// The first files of LLaVA-1.5 do not name it, those of Qwen2-VL say it with a flag.
std::string projector_type(const Json& metadata) {
  if (metadata.bool_or("clip.has_qwen2vl_merger", false)) return "qwen2vl_merger";
  return metadata.string_or("clip.projector_type", metadata.string_or("clip.vision.projector_type", "mlp"));
}

}  // namespace

GgufModel describe_gguf(const GgufFile& decoder, const GgufFile& mmproj) {
  const std::string& architecture = mmproj.metadata().required_string("general.architecture");
  if (architecture != "clip")
    throw Error(ErrorCode::kModelUnsupported, mmproj.path() + ": is no mmproj file: general.architecture is \"" +
                                                  architecture + "\", expected \"clip\"");
  const std::string type = projector_type(mmproj.metadata());
  const auto found = projectors().find(type);
  if (found == projectors().end()) {
    std::string known;
    for (const auto& [name, describe] : projectors()) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::kModelUnsupported, mmproj.path() + ": clip.projector_type is \"" + type +
                                                  "\"; of GGUF files, Fovea reads those with " + known);
  }
  return found->second(decoder, mmproj);
}

}  // namespace fovea
