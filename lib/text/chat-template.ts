import { Template } from "@huggingface/jinja";
import { FoveaError } from "../errors.js";
import { type JsonObject, type ModelFolder, pathOf, readModelJson, readModelText } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import { builtInTemplates } from "./built-in-templates.js";
import type { TemplateMessage } from "./template-message.js";

/** Options of `ChatTemplate.render`. */
export interface RenderOptions {
  /** End with the words that make the model answer. Default true. */
  addGenerationPrompt?: boolean;
}

/** Turns messages into the prompt that a model was trained on. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #specialTokens: Record<string, string>;
  /** Whether the template reads a message's words only from a list of parts, as SmolVLM's does. */
  readonly #needsParts: boolean;

  /** `specialTokens` are the template's variables `bos_token`, `eos_token` and so on. */
  constructor(source: string, specialTokens: Record<string, string> = {}) {
    this.#specialTokens = specialTokens;
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new FoveaError(
        "ERR_FOVEA_MODEL_UNSUPPORTED",
        `The model's chat template cannot be read: ${(cause as Error).message}. Put a simpler chat_template.jinja ` +
          "into the model's folder.",
        { cause },
      );
    }
    this.#needsParts = !this.#shows("words") && this.#shows([{ type: "text", text: "words" }]);
  }

  /** The prompt as text, with one image token for each image. */
  render(messages: TemplateMessage[], options: RenderOptions = {}): string {
    const { addGenerationPrompt = true } = options;
    try {
      return this.#template.render({
        ...this.#specialTokens,
        messages: this.#needsParts ? messages.map(inParts) : messages,
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      throw new FoveaError(
        "ERR_FOVEA_INVALID_ARGUMENT",
        `The model's chat template refuses these messages: ${(cause as Error).message}. Change the order or the ` +
          "roles of the messages to what the model was trained on.",
        { cause },
      );
    }
  }

  /** Whether the word of a message that has this content gets into the prompt. */
  #shows(content: TemplateMessage["content"]): boolean {
    try {
      return this.#template
        .render({ ...this.#specialTokens, messages: [{ role: "user", content }], add_generation_prompt: true })
        .includes("words");
    } catch {
      return false;
    }
  }
}

function inParts({ role, content }: TemplateMessage): TemplateMessage {
  return { role, content: typeof content === "string" ? [{ type: "text", text: content }] : content };
}

/** Finds a model's chat template in the places where transformers keeps it. */
export async function loadChatTemplate(folder: ModelFolder): Promise<ChatTemplate> {
  const tokenizerConfig = (await readModelJson(folder, "tokenizer_config.json")) ?? {};
  const source =
    (await readModelText(folder, "chat_template.jinja")) ??
    fromJson(tokenizerConfig) ??
    fromJson(await readModelJson(folder, "chat_template.json")) ??
    fromJson(await readModelJson(folder, "processor_config.json")) ??
    builtInTemplates.get(String((await readModelJson(folder, "config.json"))?.model_type)) ??
    null;
  if (source === null) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `${pathOf(folder)} has no chat template (chat_template.jinja, or "chat_template" in tokenizer_config.json, ` +
        "chat_template.json or processor_config.json). Put a chat_template.jinja into the folder.",
    );
  }
  return new ChatTemplate(source, specialTokens(tokenizerConfig));
}

/** "chat_template" is a string, or a list of named templates of which "default" is ours. */
function fromJson(config: JsonObject | null): string | null {
  const entry = config?.chat_template;
  if (typeof entry === "string") return entry;
  if (!Array.isArray(entry)) return null;
  const named = entry.find((candidate) => isRecord(candidate) && candidate.name === "default");
  return isRecord(named) && typeof named.template === "string" ? named.template : null;
}

/** Every `*_token` of tokenizer_config.json, written as a string or as an object with "content". */
function specialTokens(config: JsonObject): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!key.endsWith("_token")) continue;
    if (typeof value === "string") tokens[key] = value;
    else if (isRecord(value) && typeof value.content === "string") tokens[key] = value.content;
  }
  return tokens;
}
