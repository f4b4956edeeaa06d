import { FoveaError } from "../errors.js";
import type { ImageInput } from "../vision/image-input.js";

/** Words of a message. */
export interface TextPart {
  type: "text";
  text: string;
}

/** A picture of a message. */
export interface ImagePart {
  type: "image";
  image: ImageInput;
}

/** A picture of a message as OpenAI's clients write it. */
export interface ImageUrlPart {
  type: "image_url";
  /** A data URL or a path; http(s) is refused, fetch such images first. */
  image_url: { url: string };
}

/** One piece of a message's content. */
export type MessagePart = TextPart | ImagePart | ImageUrlPart;

/** One turn of a conversation. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string | MessagePart[];
}

/** A message as chat templates expect it: images are bare markers, their pixels travel apart. */
export interface TemplateMessage {
  role: string;
  content: string | ({ type: "text"; text: string } | { type: "image" })[];
}

/** What `parseMessages` returns. */
export interface ParsedMessages {
  messages: TemplateMessage[];
  /** In the order in which their markers occur. */
  images: ImageInput[];
}

/** Options of `parseMessages`. */
export interface ParseMessagesOptions {
  /** Images that no part names; they are put before the text of the last user message. */
  images?: ImageInput[] | undefined;
  /** Default 64. */
  maxImages?: number;
}

const roles = ["system", "user", "assistant"];

/** Checks messages of unknown origin, takes their images out and brings them into the chat template's shape. */
export function parseMessages(messages: Message[], options: ParseMessagesOptions = {}): ParsedMessages {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages must be a non-empty array of {role, content}");
  }
  const perMessage = messages.map((message, index) => parseMessage(message, `messages[${index}]`));
  if (options.images !== undefined) addImages(perMessage, options.images);
  const images = perMessage.flatMap((parsed) => parsed.images);
  const maxImages = options.maxImages ?? 64;
  if (images.length > maxImages) {
    throw invalid(`${images.length} images in one request; at most ${maxImages} are allowed: send fewer`);
  }
  return { messages: perMessage.map((parsed) => parsed.message), images };
}

interface ParsedMessage {
  message: TemplateMessage;
  images: ImageInput[];
}

function parseMessage(message: unknown, where: string): ParsedMessage {
  if (typeof message !== "object" || message === null) throw invalid(`${where} must be an object {role, content}`);
  const { role, content } = message as { role?: unknown; content?: unknown };
  if (typeof role !== "string" || !roles.includes(role)) {
    throw invalid(`${where}.role is ${show(role)}; expected one of ${roles.join(", ")}`);
  }
  if (typeof content === "string") return { message: { role, content }, images: [] };
  if (!Array.isArray(content) || content.length === 0) {
    throw invalid(`${where}.content must be a string or a non-empty array of parts, got ${show(content)}`);
  }
  const images: ImageInput[] = [];
  const parts = content.map((part: unknown, index) => {
    const parsed = parsePart(part, `${where}.content[${index}]`);
    if (typeof parsed === "string") return { type: "text" as const, text: parsed };
    images.push(parsed.image);
    return { type: "image" as const };
  });
  return { message: { role, content: parts }, images };
}

/** The text of a text part, or the image of an image part. */
function parsePart(part: unknown, where: string): string | { image: ImageInput } {
  const { type, text, image, image_url } = (part ?? {}) as Record<string, unknown>;
  switch (type) {
    case "text":
      if (typeof text !== "string") throw invalid(`${where}.text must be a string, got ${show(text)}`);
      return text;
    case "image":
      if (!looksLikeImage(image)) {
        throw invalid(`${where}.image must be a path, a data URL, bytes or {width, height, data}, got ${show(image)}`);
      }
      return { image };
    case "image_url": {
      const url = (image_url as { url?: unknown } | undefined)?.url;
      if (typeof url !== "string") throw invalid(`${where}.image_url.url must be a string, got ${show(url)}`);
      return { image: url };
    }
    default:
      throw invalid(`${where}.type is ${show(type)}; expected "text", "image" or "image_url"`);
  }
}

/** Puts images before the text of the last user message. */
function addImages(perMessage: ParsedMessage[], images: ImageInput[]): void {
  if (!Array.isArray(images)) throw invalid("images must be an array");
  for (const [index, image] of images.entries()) {
    if (!looksLikeImage(image)) {
      throw invalid(`images[${index}] must be a path, a data URL, bytes or {width, height, data}, got ${show(image)}`);
    }
  }
  if (images.length === 0) return;
  const last = perMessage.findLast((parsed) => parsed.message.role === "user");
  if (last === undefined) throw invalid("images were given, but there is no user message to put them in");
  const { content } = last.message;
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
  const firstText = parts.findIndex((part) => part.type === "text");
  const at = firstText === -1 ? parts.length : firstText;
  const markers = images.map(() => ({ type: "image" as const }));
  last.message.content = [...parts.slice(0, at), ...markers, ...parts.slice(at)];
  // The parts before the first text are all images, so `at` counts images too.
  last.images.splice(at, 0, ...images);
}

/** Only the kind of thing; vision/decode.ts looks at what is inside. */
function looksLikeImage(image: unknown): image is ImageInput {
  return (typeof image === "string" && image !== "") || (typeof image === "object" && image !== null);
}

function invalid(message: string): FoveaError {
  return new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${message}.`);
}

/** A short rendering of a wrong value for an error message. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
