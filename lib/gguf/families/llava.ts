import type { GgufFamily } from "../gguf-family.js";

/**
 * LLaVA-1.5. Pictures are treated as transformers' CLIPImageProcessor does, resized and cropped; llama.cpp pads them to
 * a square instead.
 */
export const llava: GgufFamily = {
  preprocessor({ mmproj }) {
    const side = mmproj["clip.vision.image_size"];
    return {
      size: { shortest_edge: side },
      crop_size: { width: side, height: side },
      image_mean: mmproj["clip.vision.image_mean"],
      image_std: mmproj["clip.vision.image_std"],
    };
  },
  processor: () => ({}),
  // The conversations that LLaVA-1.5 was trained on (vicuna_v1); files converted from the original have no template.
  chatTemplate: [
    "{% for message in messages %}",
    "{% if message['role'] == 'system' %}",
    "{% if message['content'] is string %}{{ message['content'] + ' ' }}",
    "{% else %}{% for part in message['content'] %}{{ part['text'] + ' ' }}{% endfor %}{% endif %}",
    "{% else %}",
    "{{ 'USER: ' if message['role'] == 'user' else 'ASSISTANT: ' }}",
    "{% if message['content'] is string %}{{ message['content'] }}",
    "{% else %}{% for part in message['content'] %}",
    "{{ '<image>\\n' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}",
    "{{ ' ' if message['role'] == 'user' else '</s>' }}",
    "{% endif %}{% endfor %}",
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
  ].join(""),
};
