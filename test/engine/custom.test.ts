import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageRows, loadModel, type Model, type PlanStage, type RowFunction } from "../../lib/index.js";
import { ask, content, miniModel, refusal, rejection } from "./fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(miniModel);
});
afterAll(() => model.dispose());

const messages = ask("What is this?", 0, 1);
const stages = (options: object): PlanStage[] => [{ method: "custom", use: "mine", ...options }];
const run = (mine: unknown, options: object = {}, signal = new AbortController().signal) =>
  model.generate({
    messages,
    maxTokens: 8,
    keepLists: true,
    plan: { stages: stages(options) },
    custom: { mine: mine as RowFunction },
    signal,
  });
/** Every fourth row, as `select`. */
const fourths: RowFunction = ({ places }) => [...places.keys()].filter((row) => row % 4 === 0).reverse();

describe("rows chosen by a function", () => {
  it("are those it returns, in each image, before the decoder and inside it", async () => {
    for (const layer of [undefined, 3]) {
      const { stages } = (await run(fourths, { layer })).usage;
      const every4th = Int32Array.from({ length: 64 }, (_, i) => 4 * i);
      expect(stages[0]?.images.map(({ kept }) => kept)).toEqual([every4th, every4th]);
      expect(stages[0]?.layer).toBe(layer);
    }
  });

  it("are those with the highest scores", async () => {
    const { images } = (await run(({ places }: ImageRows) => places.map((place) => -place), { keep: 0.25 })).usage
      .stages[0] as { images: { kept?: Int32Array }[] };
    expect(images[1]?.kept).toEqual(Int32Array.from({ length: 64 }, (_, i) => i));
  });

  it("all of them: no bit changes", async () => {
    const inputs = await model.process(messages);
    const plain = await model.forward(inputs);
    const all = await model.forward(
      { ...inputs, plan: { stages: stages({}) } },
      { custom: { mine: ({ places }) => places.map((_, i) => i) } },
    );
    expect(all.logits.data).toEqual(plain.logits.data);
  });

  it("see what they choose from: values, places, text, one image after another", async () => {
    const seen: ImageRows[] = [];
    const inputs = await model.process(messages);
    const { projected } = await model.forward(
      { ...inputs, plan: { stages: [{ method: "uniform", keep: 0.5 }, ...stages({})] } },
      {
        taps: true,
        custom: {
          mine: (rows) => {
            seen.push(rows);
            return [0];
          },
        },
      },
    );
    expect(seen.map(({ image }) => image)).toEqual([0, 1]);
    const { rows, places, width, columns, text, layer } = seen[1] as ImageRows;
    expect([places.length, width, columns, layer]).toEqual([128, model.info.dModel, 16, undefined]);
    expect(text.length).toBe((inputs.input_ids.data.length - 512) * width);
    const place = places[5] as number;
    const row = projected?.data.subarray((256 + place) * width, (257 + place) * width);
    expect(rows.subarray(5 * width, 6 * width)).toEqual(row);
  });

  it("none: the image is gone, and the answer still comes", async () => {
    const { usage, tokens } = await run(() => []);
    expect(usage.stages[0]?.images.map(({ rowsOut }) => rowsOut)).toEqual([0, 0]);
    expect(tokens.length).toBeGreaterThan(0);
  });

  it("do not mix up requests that run at the same time", async () => {
    const alone = await run(fourths);
    const replies = await Promise.all([run(fourths), run(() => [0]), run(fourths)]);
    expect(content(replies[0])).toEqual(content(alone));
    expect(content(replies[2])).toEqual(content(alone));
    expect(replies[1].usage.stages[0]?.images[0]?.rowsOut).toBe(1);
  });
});

describe("a function that chooses rows", () => {
  it("fails its own request when it throws; the engine goes on", async () => {
    const mistake = new Error("mine");
    const thrower = () => {
      throw mistake;
    };
    expect(await rejection(run(thrower))).toBe(mistake);
    expect((await run(fourths)).usage.stages).toHaveLength(1);
  });

  it("may abort its request", async () => {
    const controller = new AbortController();
    const aborter: RowFunction = (rows) => {
      controller.abort("enough");
      return fourths(rows);
    };
    expect(await rejection(run(aborter, {}, controller.signal))).toBe("enough");
    expect((await run(fourths)).usage.stages).toHaveLength(1);
  });

  it("is not waited for when the model goes", async () => {
    const other = await loadModel(miniModel);
    let disposed: Promise<void> | undefined;
    const disposer: RowFunction = ({ places }) => {
      disposed = other.dispose();
      return places.map((_, i) => i);
    };
    const plan = { stages: stages({}) };
    const { code } = await refusal(other.generate({ messages, plan, custom: { mine: disposer } }));
    expect(code).toBe("ERR_FOVEA_DISPOSED");
    await disposed;
  });

  it.each([
    [() => [256], {}, "custom.mine returned 256; expected different whole numbers from 0 to 255"],
    [() => [-1], {}, "returned -1"],
    [() => [0.5], {}, "returned 0.5"],
    [() => [3, 3], {}, "returned 3"],
    [() => new Int32Array(300), {}, "returned 300 numbers"],
    [async () => [0], {}, "returned a promise"],
    [() => "all", {}, "returned string, no list of numbers"],
    [() => [1n], {}, "no list of numbers"],
    [() => [1], { keep: 0.5 }, "returned 1 numbers; expected 256 finite scores"],
    [() => new Float32Array(256).fill(Number.NaN), { keep: 0.5 }, "returned NaN; expected 256 finite scores"],
    [() => new Float64Array(256).fill(1e300), { keep: 0.5 }, "returned 1e+300"],
  ])("is refused by name when it returns nonsense: %s %j", async (mine, options, message) => {
    expect(await refusal(run(mine, options))).toMatchObject({
      code: "ERR_FOVEA_INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    });
  });

  it("must be there, and have a name", async () => {
    const missing = model.generate({ messages, plan: { stages: stages({}) } });
    expect(await refusal(missing)).toMatchObject({ code: "ERR_FOVEA_PLAN", message: expect.stringContaining("mine") });
    const inherited = model.generate({ messages, plan: { stages: stages({ use: "toString" }) }, custom: {} });
    expect((await refusal(inherited)).code).toBe("ERR_FOVEA_PLAN");
    const nameless = model.generate({ messages, plan: { stages: [{ method: "custom" }] } });
    expect((await refusal(nameless)).message).toContain("stages[0].use");
    const both = model.generate({ messages, plan: { stages: stages({ keep: 0.5, count: 3 }) } });
    expect((await refusal(both)).message).toContain("only one of them");
  });
});

it("the example runs as it stands", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const shown = execFileSync(process.execPath, ["docs/examples/own-method.mjs"], { cwd: root, encoding: "utf8" });
  expect(shown).toContain("custom distinctness");
});
