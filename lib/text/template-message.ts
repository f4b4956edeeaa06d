/** A piece of a message as chat templates expect it: images and videos are bare markers, their pixels travel apart. */
export type TemplatePart = { type: "text"; text: string } | { type: "image" } | { type: "video" };

/** A message as chat templates expect it. */
export interface TemplateMessage {
  role: string;
  content: string | TemplatePart[];
}
