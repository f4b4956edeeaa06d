import type { PictureMark } from "../vision/image-preprocessor.js";
import type { ChatTemplate } from "./chat-template.js";
import type { TemplateMessage } from "./template-message.js";
import type { EncodeOptions, Tokenizer } from "./tokenizer.js";

/**
 * Token ids of a conversation, ready for `expandImages`; a template that writes the first token itself gets no second.
 * `mark`: what the template writes for a picture, if not the image token.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: TemplateMessage[],
  options: { addGenerationPrompt?: boolean; mark?: PictureMark | undefined } & Pick<EncodeOptions, "maxTokens"> = {},
): number[] {
  const { addGenerationPrompt = true, mark, ...rest } = options;
  let prompt = template.render(messages, { addGenerationPrompt });
  let start = prompt; // of what follows on pictures, which may stand before the first token
  if (mark !== undefined) {
    const word = tokenizer.tokenOf(mark.token);
    while (start.startsWith(word)) start = start.slice(word.length);
    const text = mark.text?.map((part) => (typeof part === "number" ? tokenizer.tokenOf(part) : part)).join("");
    if (text !== undefined) prompt = prompt.replaceAll(word, () => text);
  }
  const hasBos = tokenizer.bosToken !== null && start.startsWith(tokenizer.bosToken);
  return tokenizer.encode(prompt, { ...rest, addSpecialTokens: !hasBos });
}
