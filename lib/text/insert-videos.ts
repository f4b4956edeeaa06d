import type { TemplateMessage, TemplatePart } from "./template-message.js";

/** The messages with what stands for each video, in their order, in place of its marker. */
export function insertVideos(
  messages: readonly TemplateMessage[],
  videos: readonly { parts: readonly TemplatePart[] }[],
): TemplateMessage[] {
  let next = 0;
  return messages.map(({ role, content }) => {
    if (typeof content === "string") return { role, content };
    const parts = content.flatMap((part) => (part.type === "video" ? (videos[next++]?.parts ?? []) : [part]));
    return { role, content: parts };
  });
}
