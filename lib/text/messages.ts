import type { ImageInput } from "../vision/image-input.js";
import type { VideoInput } from "../vision/video-input.js";
import { invalid, show } from "./invalid-message.js";
import { parseVideo } from "./parse-video.js";
import type { TemplateMessage, TemplatePart } from "./template-message.js";

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

/** A video of a message: frames, or an animation, and how it runs. */
export interface VideoPart extends VideoInput {
  type: "video";
}

/** A video of a message as vLLM's clients write it. */
export interface VideoUrlPart {
  type: "video_url";
  /** A path or a data URL of a GIF or an animated WebP, or JPEG frames as "data:video/jpeg;base64,…,…"; http(s) is refused. */
  video_url: { url: string };
}

/** One piece of a message's content. */
export type MessagePart = TextPart | ImagePart | ImageUrlPart | VideoPart | VideoUrlPart;

/** One turn of a conversation. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string | MessagePart[];
}

/** A picture or a video of a message. */
export type Medium = { image: ImageInput } | { video: VideoInput };

/** What `parseMessages` returns. */
export interface ParsedMessages {
  messages: TemplateMessage[];
  /** In the order in which their markers occur. */
  media: Medium[];
}

/** Options of `parseMessages`. */
export interface ParseMessagesOptions {
  /** Images that no part names; they are put before the text of the last user message. */
  images?: ImageInput[] | undefined;
  /** Videos count too. Default 64. */
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
  const media = perMessage.flatMap((parsed) => parsed.media);
  const maxImages = options.maxImages ?? 64;
  if (media.length > maxImages) {
    throw invalid(`${media.length} images in one request; at most ${maxImages} are allowed: send fewer`);
  }
  return { messages: perMessage.map((parsed) => parsed.message), media };
}

interface ParsedMessage {
  message: TemplateMessage;
  media: Medium[];
}

function parseMessage(message: unknown, where: string): ParsedMessage {
  if (typeof message !== "object" || message === null) throw invalid(`${where} must be an object {role, content}`);
  const { role, content } = message as { role?: unknown; content?: unknown };
  if (typeof role !== "string" || !roles.includes(role)) {
    throw invalid(`${where}.role is ${show(role)}; expected one of ${roles.join(", ")}`);
  }
  if (typeof content === "string") return { message: { role, content }, media: [] };
  if (!Array.isArray(content) || content.length === 0) {
    throw invalid(`${where}.content must be a string or a non-empty array of parts, got ${show(content)}`);
  }
  const media: Medium[] = [];
  const parts = content.map((part: unknown, index): TemplatePart => {
    const parsed = parsePart(part, `${where}.content[${index}]`);
    if (typeof parsed === "string") return { type: "text", text: parsed };
    media.push(parsed);
    return { type: "image" in parsed ? "image" : "video" };
  });
  return { message: { role, content: parts }, media };
}

/** The text of a text part, or the image or video of another. */
function parsePart(part: unknown, where: string): string | Medium {
  const { type, text, image, image_url, video_url, ...video } = (part ?? {}) as Record<string, unknown>;
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
    case "video":
      return { video: parseVideo(video, where) };
    case "video_url": {
      const url = (video_url as { url?: unknown } | undefined)?.url;
      if (typeof url !== "string") throw invalid(`${where}.video_url.url must be a string, got ${show(url)}`);
      return { video: { video: url } };
    }
    default: {
      const expected = '"text", "image", "image_url", "video" or "video_url"';
      throw invalid(`${where}.type is ${show(type)}; expected ${expected}`);
    }
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
  // The parts before the first text are all images or videos, so `at` counts them too.
  last.media.splice(at, 0, ...images.map((image) => ({ image })));
}

/** Only the kind of thing; vision/decode.ts looks at what is inside. */
function looksLikeImage(image: unknown): image is ImageInput {
  return (typeof image === "string" && image !== "") || (typeof image === "object" && image !== null);
}
