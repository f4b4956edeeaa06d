import { readFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, type ImageInput, loadModel, type Message, type Model } from "../../lib/index.js";
import { ask, content, miniModel, picture } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

const question = "What objects are in the image?";

describe("a picture gives the same answer however it is given", () => {
  const path = picture(1);
  const bytes = readFileSync(path);
  const dataUrl = `data:image/webp;base64,${bytes.toString("base64")}`;
  const text = { type: "text" as const, text: question };
  const user = (...content: Exclude<Message["content"], string>): Message[] => [{ role: "user", content }];
  const forms: Record<string, () => Promise<GenerateOptions>> = {
    "a Buffer": async () => ({ messages: user({ type: "image", image: bytes }, text) }),
    "a Uint8Array": async () => ({ messages: user({ type: "image", image: new Uint8Array(bytes) }, text) }),
    "a data URL": async () => ({ messages: user({ type: "image", image: dataUrl }, text) }),
    "an image_url part": async () => ({ messages: user({ type: "image_url", image_url: { url: dataUrl } }, text) }),
    "an image_url part with a path": async () => ({
      messages: user({ type: "image_url", image_url: { url: path } }, text),
    }),
    "images beside a text": async () => ({ messages: [{ role: "user", content: question }], images: [path] }),
    "images beside parts": async () => ({ messages: user(text), images: [bytes] }),
    "raw pixels": async () => ({ messages: user({ type: "image", image: await raw(3) }, text) }),
    "raw pixels with alpha": async () => ({ messages: user({ type: "image", image: await raw(4) }, text) }),
  };
  async function raw(channels: 3 | 4): Promise<ImageInput> {
    const image = sharp(path);
    const { data, info } = await (channels === 4 ? image.ensureAlpha() : image.removeAlpha())
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(channels);
    return { width: info.width, height: info.height, data };
  }

  it.each(Object.entries(forms))("%s", async (_, form) => {
    const wanted = await model.generate({ messages: ask(question, path), logprobs: 2 });
    expect(wanted.usage.visualRows).toBe(256);
    expect(content(await model.generate({ ...(await form()), logprobs: 2 }))).toEqual(content(wanted));
  });
});

describe("a prompt may hold", () => {
  it("no image: nothing is encoded, plans have nothing to drop", async () => {
    const plan = { stages: [{ method: "divPrune", keep: 0.25 }, { method: "pyramidDrop" }] };
    const plain = await model.generate({ messages: ask("Is there a cat?"), maxTokens: 6, logprobs: 1 });
    const pruned = await model.generate({ messages: ask("Is there a cat?"), plan, maxTokens: 6, logprobs: 1 });
    expect(pruned.tokens).toEqual(plain.tokens);
    expect(plain.usage.visualRows).toBe(0);
    expect(pruned.usage.stages.flatMap((stage) => stage.images)).toEqual([]);
  });

  it("an empty list of images", async () => {
    const wanted = await model.generate({ messages: ask("Is there a cat?"), maxTokens: 4 });
    const reply = await model.generate({ messages: ask("Is there a cat?"), images: [], maxTokens: 4 });
    expect(content(reply)).toEqual(content(wanted));
  });

  it("several images, whose order matters", async () => {
    const logits = async (...images: number[]) => {
      const { logits } = await model.forward(await model.process(ask("What is this?", ...images)), { logitsToKeep: 1 });
      return [...logits.data];
    };
    const reply = await model.generate({ messages: ask("What is this?", 1, 2, 3), maxTokens: 2 });
    expect(reply.usage.visualRows).toBe(3 * model.info.imageRows);
    expect(await logits(1, 2)).not.toEqual(await logits(2, 1));
  });

  it("the same image twice: equal pixels, equal rows, equal keep lists", async () => {
    const plan = { stages: [{ method: "divPrune", keep: 0.25 }] };
    const messages = ask("What is this?", 1, 1);
    const { usage } = await model.generate({ messages, plan, maxTokens: 1, keepLists: true });
    const [first, second] = usage.stages[0]?.images ?? [];
    expect(first?.kept).toHaveLength(64);
    expect(second?.kept).toEqual(first?.kept);
    const { projected } = await model.forward(await model.process(messages), { taps: true, logitsToKeep: 1 });
    const half = (projected?.data.length ?? 0) / 2;
    expect(projected?.data.slice(half)).toEqual(projected?.data.slice(0, half));
  });

  it("several turns, pictures in more than one of them", async () => {
    const messages: Message[] = [
      ...ask("What objects are in the image?", 1),
      { role: "assistant", content: "a dog" },
      ...ask("And in this one?", 2),
    ];
    const reply = await model.generate({ messages, maxTokens: 8 });
    expect(reply.usage.visualRows).toBe(512);
    expect(reply.text).not.toBe("");
  });
});
