import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { cpuInfo, loadModel, type Plan } from "../../lib/index.js";
import { expectClose } from "../golden/compare.js";
import { ask, miniModel } from "./fixtures.js";
import { childModule } from "./run-child.js";
import { isSanitized } from "./sanitized.js";

const requests = [
  { messages: ask("What objects are in the image?", 1) },
  { messages: ask("What is the color of the background?", 5) },
  { messages: ask("How many dogs are there?", 2), plan: { stages: [{ method: "pyramidDrop" }] } },
  { messages: ask("Is there a cat?"), maxTokens: 8 },
];
const keepAll: Plan = {
  stages: [
    { method: "divPrune", keep: 1 },
    { method: "fastV", keep: 1 },
  ],
};

/** How far logits may lie from those of f32 weights, as a share of the largest: at most about twice what they do. */
const bounds = { bf16: 0.008, int8: 0.06, int4: 0.15 } as const;
/** Bytes of the weights, as a share of those as f32. */
const sizes = { bf16: 0.51, int8: 0.4, int4: 0.4 } as const;

describe.each(["bf16", "int8", "int4"] as const)("a model held as %s", (dtype) => {
  it("stays near the f32 one", async () => {
    await using exact = await loadModel(miniModel, { dtype: "f32" });
    await using model = await loadModel(miniModel, { dtype });
    expect(model.info.dtype).toBe(dtype);
    expect(model.info.weightBytes).toBeLessThan(sizes[dtype] * exact.info.weightBytes);
    for (const { messages } of requests) {
      const inputs = await exact.process(messages);
      const [truth, got] = [await exact.forward(inputs), await model.forward(inputs)];
      expectClose(got.logits.data, truth.logits.data, bounds[dtype], `logits as ${dtype}`);
    }
  });

  it("keeping every row changes no bit, nor do threads or company", async () => {
    await using model = await loadModel(miniModel, { dtype });
    await using alone = await loadModel(miniModel, { dtype, threads: 1 });
    const inputs = await model.process(ask("What objects are in the image?", 1));
    const { logits } = await model.forward(inputs);
    expect((await model.forward({ ...inputs, plan: keepAll })).logits.data).toEqual(logits.data);
    expect((await alone.forward(inputs)).logits.data).toEqual(logits.data);
    const one = [];
    for (const request of requests) one.push((await alone.generate({ ...request, logprobs: 1 })).tokens);
    const together = await Promise.all(requests.map((request) => model.generate({ ...request, logprobs: 1 })));
    expect(together.map(({ tokens }) => tokens)).toEqual(one);
  });

  // determinism.test.ts asks the model as it is filed, which is bf16.
  it.skipIf(isSanitized || dtype === "bf16")("answers alike on every kernel tier", async () => {
    await using model = await loadModel(miniModel, { dtype });
    const few = requests.slice(0, 2);
    const reference = [];
    for (const request of few) {
      const { text, tokens } = await model.generate(request);
      reference.push({ text, ids: tokens.map(({ id }) => id) });
    }
    for (const tier of cpuInfo().tiers) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [childModule("tier.mjs"), JSON.stringify(few), dtype],
        { env: { ...process.env, FOVEA_ISA: tier } },
      );
      expect(JSON.parse(stdout).replies, `tier ${tier}`).toEqual(reference);
    }
  });
});

describe("every family loads as int4, which holds some matrices as int8", () => {
  const folders = [
    "gemma3/gemma3",
    "idefics3/smolvlm",
    "internvl/internvl",
    "llava-next/llava-next",
    "llava-next/llava-onevision",
    "paligemma/paligemma2",
    "qwen_vl/qwen2_vl",
    "qwen_vl/qwen2_5_vl",
    "qwen_vl/qwen3_vl",
    "gguf/quantised",
  ];
  const picture = { width: 60, height: 44, data: new Uint8Array(3 * 60 * 44).map((_, i) => i * 7) };
  it.each(folders)("%s", async (folder) => {
    const path = fileURLToPath(new URL(`../golden/${folder}`, import.meta.url));
    const request = { messages: [{ role: "user" as const, content: "What?" }], images: [picture], maxTokens: 4 };
    await using exact = await loadModel(path);
    await using model = await loadModel(path, { dtype: "int4" });
    expect(model.info.weightBytes).toBeLessThan(0.7 * exact.info.weightBytes);
    const reply = await model.generate({ ...request, logprobs: 1 });
    expect(reply.tokens.every(({ logprob }) => Number.isFinite(logprob))).toBe(true);
    expect((await model.generate({ ...request, logprobs: 1 })).tokens).toEqual(reply.tokens);
  });
});
