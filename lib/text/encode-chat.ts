import type { ChatTemplate } from "./chat-template.js";
import type { TemplateMessage } from "./template-message.js";
import type { EncodeOptions, Tokenizer } from "./tokenizer.js";

/** Token ids of a conversation, ready for `expandImages`; a template that writes the first token itself gets no second. */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: TemplateMessage[],
  options: { addGenerationPrompt?: boolean } & Pick<EncodeOptions, "maxTokens"> = {},
): number[] {
  const { addGenerationPrompt = true, ...rest } = options;
  const prompt = template.render(messages, { addGenerationPrompt });
  const hasBos = tokenizer.bosToken !== null && prompt.startsWith(tokenizer.bosToken);
  return tokenizer.encode(prompt, { ...rest, addSpecialTokens: !hasBos });
}
