// Chat templates of families that are published without one, because their processor writes the prompt.

/** PaliGemma was trained on one picture or several, a line of text, and the answer. */
const paligemma = [
  "{% if messages | length != 1 %}{{ raise_exception('PaliGemma takes a single message') }}{% endif %}",
  "{% set content = messages[0]['content'] %}",
  "{% if content is string %}{{ bos_token + content }}{% else %}",
  "{% for part in content %}{% if part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{{ bos_token }}",
  "{% for part in content %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}",
  "{% endif %}{{ '\\n' }}",
].join("");

/** By `model_type`. */
export const builtInTemplates: ReadonlyMap<string, string> = new Map([["paligemma", paligemma]]);
