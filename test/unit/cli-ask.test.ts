import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FoveaError } from "../../lib/errors.js";
import type { Reply } from "../../lib/index.js";
import { fakeReply, runFake } from "./cli-fake-engine.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("fovea ask", () => {
  it("streams the answer to stdout and reports on stderr", async () => {
    const ran = await runFake(["ask", "cat.png", "what?"]);
    expect(ran).toMatchObject({ code: 0, out: "a green turtle\n", disposed: 1 });
    expect(ran.err.split("\n")).toEqual([
      "visual rows 256 of 271 → divPrune 64 → pyramidDrop layer 2: 32 → layer 4: 2",
      "skipped attention 6, ffn 7 in decode",
      "preprocess 12 ms, encode 80 ms, prefill 30 ms (choosing rows 2.0 ms), decode 20 ms; 5 tokens, 200 tokens/s",
      "",
    ]);
    expect(ran.loads).toEqual([["fovea-mini", { dtype: "auto" }]]);
    expect(ran.requests[0]).toEqual({
      messages: [
        {
          role: "user",
          content: [
            { type: "image", image: "cat.png" },
            { type: "text", text: "what?" },
          ],
        },
      ],
      signal: expect.any(AbortSignal),
      keepLists: false,
    });
  });

  it("drops white space before the answer, none within", async () => {
    const ran = await runFake(["ask", "cat.png", "what?"], { deltas: [" ", "\n a", " ", "b"] });
    expect(ran.out).toBe("a b\n");
  });

  it("sums the rows of several images and says why an answer ended early", async () => {
    const images = [
      { rowsIn: 256, rowsOut: 30 },
      { rowsIn: 256, rowsOut: 12 },
    ];
    const ran = await runFake(["ask", "a.png", "what?", "--image", "b.png", "--image", "c.png"], {
      reply: {
        ...fakeReply,
        finishReason: "length",
        usage: {
          ...fakeReply.usage,
          generatedTokens: 1,
          skipped: [],
          stages: [{ name: "uniform", hook: "projected", images }],
        },
      },
    });
    expect(ran.err).toMatch(/uniform 42\npreprocess .* decode 20 ms; 1 token \(length\)\n$/);
    expect(ran.requests[0]?.messages[0]?.content).toMatchObject([
      { image: "a.png" },
      { image: "b.png" },
      { image: "c.png" },
      {},
    ]);
  });

  it("takes videos, with a picture or alone, and asks for a question", async () => {
    const content = async (args: string[]) => (await runFake(["ask", ...args])).requests[0]?.messages[0]?.content;
    const clip = { type: "video", video: "b.gif" };
    const question = { type: "text", text: "what?" };
    expect(await content(["what?", "--video", "b.gif"])).toEqual([clip, question]);
    expect(await content(["a.png", "what?", "--video", "b.gif", "--video-fps", "2"])).toEqual([
      { type: "image", image: "a.png" },
      { ...clip, sample: { fps: 2 } },
      question,
    ]);
    const ran = await runFake(["ask", "what?"]);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining("missing required argument 'question'")]);
  });

  it("hands every option to the engine", async () => {
    const ran = await runFake([
      ..."ask cat.png what? --model m --dtype f32 --threads 3 --max-tokens 9 --temperature 0.5 --top-k 4 --top-p 0.9".split(
        " ",
      ),
      ..."--min-p 0.1 --repetition-penalty 1.1 --seed 7 --stop x --stop y --positions original".split(" "),
      ..."--prune divPrune:keep=0.25,pyramidDrop --skip-layers attention:6,ffn:7".split(" "),
    ]);
    expect(ran.code).toBe(0);
    expect(ran.loads).toEqual([["m", { dtype: "f32", threads: 3 }]]);
    expect(ran.requests[0]).toMatchObject({
      maxTokens: 9,
      temperature: 0.5,
      topK: 4,
      topP: 0.9,
      minP: 0.1,
      repetitionPenalty: 1.1,
      seed: 7,
      stop: ["x", "y"],
      plan: {
        positions: "original",
        stages: [{ method: "divPrune", keep: 0.25 }, { method: "pyramidDrop" }],
        skipLayers: [
          { part: "attention", layers: [6] },
          { part: "ffn", layers: [7] },
        ],
      },
    });
  });

  it("takes a plan from a file", async () => {
    const plan = { stages: [{ method: "divPrune" }] };
    const file = join(folder, "plan.json");
    writeFileSync(file, JSON.stringify(plan));
    const ran = await runFake(["ask", "cat.png", "what?", "--plan", file]);
    expect(ran.requests[0]?.plan).toEqual(plan);
  });

  it("--json: one object on stdout, nothing on stderr", async () => {
    const ran = await runFake(["ask", "cat.png", "what?", "--json", "--keep-lists", "--prune", "divPrune"]);
    expect(ran.err).toBe("");
    expect(ran.out.endsWith("}\n")).toBe(true);
    const object = JSON.parse(ran.out);
    expect(object).toMatchObject({
      text: "a green turtle",
      finishReason: "stop",
      timings: fakeReply.timings,
      plan: { stages: [{ method: "divPrune" }] },
    });
    expect(object.usage.kvRows).toEqual([79, 79, 47, 47, 17, 17, 0, 17]);
    expect(object.usage.stages[2].images[0].kept).toEqual([0, 17]);
    expect(ran.requests[0]?.keepLists).toBe(true);
    const macs = (n: number) => 4 * n * 256 ** 2 + 2 * n * n * 256;
    const ffn = (n: number) => 3 * n * 256 * 704;
    expect(object.usage.visualMacs).toEqual({
      unpruned: 8 * (macs(256) + ffn(256)),
      // Layers 0-1, 2-3, 4-5; attention of 6 is skipped; the FFN of 7 is skipped in decode only.
      spent: 2 * (macs(64) + ffn(64)) + 2 * (macs(32) + ffn(32)) + 3 * macs(2) + 4 * ffn(2),
    });
  });

  it("--show: a PNG whose kept patches are bright", async () => {
    const file = join(folder, "kept.png");
    const ran = await runFake(["ask", "cat.png", "what?", "--show", file]);
    expect(ran.code).toBe(0);
    expect(ran.requests[0]?.keepLists).toBe(true);
    expect(readFileSync(file).subarray(1, 4).toString()).toBe("PNG");
  });

  it.each(["throw", "end"] as const)(
    "Ctrl-C, the stream will %s: frees the model, exits with 130, draws nothing",
    async (interrupt) => {
      const file = join(folder, "never.png");
      const reply: Reply = { ...fakeReply, text: "a green" };
      const ran = await runFake(["ask", "cat.png", "what?", "--show", file], { interrupt, reply });
      expect(ran).toMatchObject({ code: 130, disposed: 1 });
      expect(ran.out.trimEnd()).toBe("a green");
      expect(ran.err).not.toContain("error");
      expect(existsSync(file)).toBe(false);
    },
  );
});

describe("fovea ask: errors", () => {
  it("one line with the code, exit 1, the model freed", async () => {
    const fail = new FoveaError("ERR_FOVEA_IMAGE", "Image 0: no.");
    const ran = await runFake(["ask", "cat.png", "what?", "--json"], { fail });
    expect(ran).toMatchObject({ code: 1, out: "", err: "error Image 0: no. [ERR_FOVEA_IMAGE]\n", disposed: 1 });
  });

  it("with FOVEA_DEBUG the stack and the cause", async () => {
    const fail = new FoveaError("ERR_FOVEA_IMAGE", "no.", { cause: new Error("deeper") });
    const ran = await runFake(["ask", "cat.png", "what?"], { fail, isDebug: true });
    expect(ran.err).toMatch(/\n {4}at /);
    expect(ran.err).toContain("caused by Error: deeper");
  });

  it.each([
    [["ask"], "missing required argument 'image'"],
    [["ask", "cat.png"], "missing required argument 'question'"],
    [["ask", "cat.png", "what?", "more"], "too many arguments"],
    [["ask", "cat.png", "what?", "--prun", "x"], "Did you mean --prune?"],
    [["ask", "cat.png", "what?", "--max-tokens", "many"], "Expected a number."],
    [["ask", "cat.png", "what?", "--dtype", "f8"], "Allowed choices are auto, f32, bf16, f16"],
    [["ask", "cat.png", "what?", "--prune", "divPrun"], 'Did you mean "divPrune"?'],
    [["ask", "cat.png", "what?", "--skip-layers", "mlp:1"], 'got "mlp", expected attention, ffn or block'],
    [["ask", "cat.png", "what?", "--plan", "p.json", "--prune", "divPrune"], "cannot be used with option"],
    [["aks"], "unknown command 'aks'"],
    [[], "Usage: fovea"],
  ])("%j exits with 2 before a model is loaded", async (args, expected) => {
    const ran = await runFake(args);
    expect(ran).toMatchObject({ code: 2, out: "", loads: [] });
    expect(ran.err).toContain(expected);
  });

  it.each(["{", ""])("a plan file that holds %j", async (text) => {
    const file = join(folder, "broken.json");
    writeFileSync(file, text);
    const ran = await runFake(["ask", "cat.png", "what?", "--plan", file]);
    expect(ran).toMatchObject({ code: 1, loads: [] });
    expect(ran.err).toContain(`Cannot read the plan ${file}`);
    expect(ran.err).toContain("[ERR_FOVEA_PLAN]");
  });

  it("a plan file that does not exist", async () => {
    const ran = await runFake(["ask", "cat.png", "what?", "--plan", join(folder, "none.json")]);
    expect(ran.err).toContain("ENOENT");
  });
});

describe("help", () => {
  it("lists the methods with their options", async () => {
    const ran = await runFake(["ask", "--help"]);
    expect(ran.code).toBe(0);
    for (const name of ["divPrune", "pyramidDrop", "random", "uniform", "lambda"]) expect(ran.out).toContain(name);
  });
});
