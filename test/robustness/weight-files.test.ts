import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type PlanStage } from "../../lib/index.js";
import { ask, content, refusal } from "../engine/fixtures.js";
import { removeCopiesAfterwards, tinyModel } from "./damaged-model.js";

/** Tensors of a file: shapes; every number is a tenth. */
type Shapes = Record<string, number[]>;

const folder = mkdtempSync(join(tmpdir(), "fovea-weights-"));
let files = 0;

/** A safetensors file of tensors with these shapes. */
function weightFile(shapes: Shapes, damage: (bytes: Buffer) => Buffer = (bytes) => bytes): string {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end;
    end += 4 * shape.reduce((product, n) => product * n, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const data = Buffer.from(new Float32Array(end / 4).fill(0.1).buffer);
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, damage(Buffer.concat([size, text, data])));
  return path;
}

/** Methods that read a file, on the tiny model of two layers and rows of 32 numbers, and what the file holds. */
const methods: Record<string, { stage: (file: string) => PlanStage; shapes: Shapes }> = {
  dyVte: {
    stage: (gates) => ({ method: "dyVte", gates }),
    shapes: { "model.visual_gates_router.0.w1.weight": [3, 64], "model.visual_gates_router.0.w2.weight": [2, 3] },
  },
  atp: {
    stage: (heads) => ({ method: "atp", heads, layers: [1] }),
    shapes: {
      "atp.1.score_projection.weight": [4, 2],
      "atp.1.score_projection.bias": [4],
      "atp.1.redundant_threshold_head.weight": [1, 4],
      "atp.1.redundant_threshold_head.bias": [1],
      "atp.1.spatial_threshold_head.weight": [1, 4],
      "atp.1.spatial_threshold_head.bias": [1],
    },
  },
  pMod: {
    stage: (routers) => ({ method: "pMod", routers }),
    shapes: { "model.layers.1.router.router.weight": [32], "model.layers.1.router.router.bias": [1] },
  },
};

removeCopiesAfterwards();
let model: Model;
beforeAll(async () => {
  model = await loadModel(tinyModel());
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

const question = { messages: ask("abc", 1), maxTokens: 2, logprobs: 1 };

describe.each(Object.entries(methods))("%s and the file that it reads", (_, { stage, shapes }) => {
  const answer = (file: string) => model.generate({ ...question, plan: { stages: [stage(file)] } });
  const names = Object.keys(shapes);
  const [first] = names as [string];

  it("answers with a good one", async () => {
    expect((await answer(weightFile(shapes))).usage.generatedTokens).toBeGreaterThan(0);
  });

  const damaged: Record<string, () => string> = {
    "that is not there": () => join(folder, "nothing.safetensors"),
    "that is a folder": () => {
      const path = join(folder, `folder-${files++}`);
      mkdirSync(path);
      return path;
    },
    "that is empty": () => weightFile(shapes, () => Buffer.alloc(0)),
    "that ends in the header": () => weightFile(shapes, (bytes) => bytes.subarray(0, 20)),
    "that ends in the numbers": () => weightFile(shapes, (bytes) => bytes.subarray(0, -1)),
    "that is no safetensors": () => weightFile(shapes, () => Buffer.from("{}".repeat(100))),
    "with numbers that are none": () =>
      weightFile(shapes, (bytes) => {
        bytes.writeFloatLE(Number.NaN, bytes.length - 4);
        return bytes;
      }),
  };
  it.each(Object.entries(damaged))("refuses one %s, and says which", async (_, make) => {
    const path = make();
    const error = await refusal(answer(path));
    expect(error.code, error.message).toBe("ERR_FOVEA_PLAN");
    expect(error.message).toContain(path);
  });

  it.each(names)("refuses one without %s, and one in which it has another shape", async (name) => {
    const others = Object.fromEntries(Object.entries(shapes).filter(([other]) => other !== name));
    for (const wrong of [others, { ...shapes, [name]: [7, 5] }]) {
      const error = await refusal(answer(weightFile(wrong)));
      expect(error.code, error.message).toBe("ERR_FOVEA_PLAN");
    }
  });

  it("names the tensor that is missing", async () => {
    const error = await refusal(answer(weightFile({ unrelated: [1] })));
    expect(error.message).toContain(first);
  });

  it("and the model answers as before", async () => {
    const before = content(await model.generate(question));
    await refusal(answer(join(folder, "nothing.safetensors")));
    expect(content(await model.generate(question))).toEqual(before);
  });
});
