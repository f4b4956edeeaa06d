import { FoveaError } from "../../errors.js";
import type { JsonObject } from "../../hub/model-file.js";
import { chatml } from "../chatml.js";
import type { GgufFamily } from "../gguf-family.js";

/** A chat template of turns: what stands before and behind each one's text, by the role that speaks. */
function turns(open: Record<"system" | "user" | "assistant", string>, close: typeof open, start: string): string {
  const choose = (by: typeof open) =>
    `(${JSON.stringify(by.system)} if message['role'] == 'system' else ` +
    `${JSON.stringify(by.user)} if message['role'] == 'user' else ${JSON.stringify(by.assistant)})`;
  return [
    "{% for message in messages %}",
    `{{ ${choose(open)} }}`,
    "{% if message['content'] is string %}{{ message['content'] }}",
    "{% else %}{% for part in message['content'] %}",
    "{{ '<image>\\n' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}",
    `{{ ${choose(close)} }}`,
    "{% endfor %}",
    `{% if add_generation_prompt %}{{ ${JSON.stringify(start)} }}{% endif %}`,
  ].join("");
}

/** The conversations that LLaVA-1.5, and LLaVA-1.6 with Vicuna, were trained on; their files have no template. */
const vicuna = turns(
  { system: "", user: "USER: ", assistant: "ASSISTANT: " },
  { system: " ", user: " ", assistant: "</s>" },
  "ASSISTANT:",
);

/** LLaVA-1.6 with Mistral. */
const mistral = turns(
  { system: "", user: "[INST] ", assistant: " " },
  { system: "\n", user: " [/INST]", assistant: "</s>" },
  "",
);

/** What preprocessor_config.json of both would hold. */
function preprocessor(mmproj: JsonObject): JsonObject {
  const side = mmproj["clip.vision.image_size"];
  return {
    size: { shortest_edge: side },
    crop_size: { width: side, height: side },
    image_mean: mmproj["clip.vision.image_mean"],
    image_std: mmproj["clip.vision.image_std"],
  };
}

/**
 * LLaVA-1.5. Pictures are treated as transformers' CLIPImageProcessor does, resized and cropped; llama.cpp pads them to
 * a square instead.
 */
export const llava: GgufFamily = {
  preprocessor: ({ mmproj }) => preprocessor(mmproj),
  processor: () => ({}),
  chatTemplate: () => vicuna,
};

/** LLaVA-1.6, whose decoders differ in how they hold a conversation. */
export const llavaNext: GgufFamily = {
  preprocessor: ({ mmproj, config }) => ({
    ...preprocessor(mmproj),
    image_grid_pinpoints: config.image_grid_pinpoints,
  }),
  processor: () => ({}),
  chatTemplate(own) {
    if (own === undefined) return vicuna;
    if (own.includes("[INST]")) return mistral;
    if (own.includes("<|im_start|>")) return chatml("<image>\n"); // with Yi
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      "The GGUF file's chat template knows no images, and is of none of the decoders that LLaVA-1.6 was published with. " +
        "Take a file whose template has them, or run model.forward on ids of your own.",
    );
  },
};
