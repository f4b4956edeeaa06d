#include <utility>

#include "model/gguf/clip_vision.h"
#include "model/gguf/config_builder.h"
#include "model/gguf/decoder.h"
#include "model/gguf/families.h"

namespace fovea {

GgufModel describe_gguf_idefics3(const GgufFile& decoder, const GgufFile& mmproj) {
  GgufModel model;
  GgufDecoder text = describe_gguf_decoder(decoder, kGgufLlama, "model.text_model.", "lm_head.weight", model.names);
  ConfigBuilder vision = describe_clip_vision(mmproj, "model.vision_model.", model.names);
  vision.set("hidden_act", "gelu_pytorch_tanh");  // of every published model; files say gelu and mean this
  model.names["model.connector.modality_projection.proj.weight"] = {"mm.model.fc.weight"};
  ConfigBuilder config(mmproj.path(), true);
  config.set("model_type", "idefics3");
  config.set("text_config", std::move(text.text_config).build());
  config.set("vision_config", std::move(vision).build());
  config.set("tie_word_embeddings", text.tied);
  config.set("image_token_id", text.image_token);
  config.copy_int("scale_factor", mmproj.metadata(), "clip.vision.projector.scale_factor");
  model.config = std::move(config).build();
  return model;
}

}  // namespace fovea
