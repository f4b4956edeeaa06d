import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Message } from "../../lib/index.js";

/** What recordings of real prompts have in common. */
export interface Recorded {
  /** Image parts hold a path below model/eval. */
  messages: Message[];
}

/** A greedy answer as transformers gave it. */
export interface RecordedAnswer extends Recorded {
  /** Without the end token. */
  ids: number[];
  text: string;
  finish: "stop" | "length";
}

const folder = new URL("../../model/eval/", import.meta.url);

/** Where the embedded model is. */
export const embeddedModel = fileURLToPath(new URL("../../model/fovea-mini", import.meta.url));

/** The messages with image paths that can be opened from anywhere. */
export function withPictures(messages: Message[]): Message[] {
  return messages.map(({ role, content }) => ({
    role,
    content:
      typeof content === "string"
        ? content
        : content.map((part) =>
            part.type === "image" ? { ...part, image: fileURLToPath(new URL(part.image as string, folder)) } : part,
          ),
  }));
}

/** Asserts that the pictures are the ones that were recorded. */
export function expectSamePictures(digests: Record<string, string>): void {
  for (const [path, digest] of Object.entries(digests)) {
    const now = createHash("sha256")
      .update(readFileSync(new URL(path, folder)))
      .digest("hex");
    expect(now, `model/eval/${path} changed since the recording: record again`).toBe(digest);
  }
}
