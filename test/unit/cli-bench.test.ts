import { describe, expect, it } from "vitest";
import { fakeReply, runFake } from "./cli-fake-engine.js";

describe("fovea bench", () => {
  it("asks about every size under every plan in turn, and shows medians and ends", async () => {
    const args =
      "bench --sizes 8x8,16x8 --prune divPrune:keep=0.5 --plan fast --repetitions 2 --tokens 4 --prompt Why?";
    const ran = await runFake(args.split(" "));
    expect(ran).toMatchObject({ code: 0, err: "", disposed: 1 });
    expect(ran.requests).toHaveLength(2 * 3 * 3);
    const sizes = ran.requests.flatMap(({ images = [] }) => images.map((image) => (image as { width: number }).width));
    expect(sizes.slice(0, 6)).toEqual([8, 8, 8, 16, 16, 16]);
    expect(ran.requests[1]).toMatchObject({
      messages: [{ role: "user", content: "Why?" }],
      maxTokens: 4,
      cache: false,
      plan: { stages: [{ method: "divPrune", keep: 0.5 }] },
    });
    expect(ran.out).toContain("11 M parameters, 23 MB as bf16; Test CPU, avx2, 2 threads; milliseconds\n\n| picture |");
    expect(ran.out).toContain("| 8x8 | divPrune:keep=0.5 | 15 + ");
    // Encode 80, prefill 30 of which 2 choose, 20 for the four tokens after the first.
    expect(ran.out).toContain(
      "| 80.0 (80.0–80.0) | 28.0 (28.0–28.0) | 2.00 (2.00–2.00) | 110 (110–110) | 1.00 x | 5.00",
    );
  });

  it("takes the median of repetitions, not the warm-up", async () => {
    const ran = await runFake(["bench", "--format", "json", "--repetitions", "3"], { reply: fakeReply });
    const { cells, threads } = JSON.parse(ran.out);
    expect(threads).toBe(2);
    expect(ran.requests).toHaveLength(4);
    expect(cells).toMatchObject([
      { width: 512, height: 512, plan: "unpruned", decode: { median: 5, low: 5, high: 5 } },
    ]);
  });

  it("--format csv has a column for every number", async () => {
    const [head = "", row = ""] = (await runFake(["bench", "--format", "csv"])).out.split("\n");
    expect(head).toMatch(/^width,height,plan,.*,encode_median,encode_low,encode_high,/);
    expect(row).toMatch(/^512,512,"unpruned",271,256,/);
    expect(row.split(",")).toHaveLength(head.split(",").length);
  });

  it.each([
    [["--sizes", "8"], "Expected sizes as in 512x512"],
    [["--sizes", "8x99999"], "sides from 1 to 16384"],
    [["--repetitions", "0"], "Expected a whole number from 1 to 10000"],
    [["--prune", "nope"], "nope"],
    [["--format", "xml"], "Allowed choices are markdown, csv, json"],
  ])("%j: says what is wrong before anything is loaded", async (args, message) => {
    const ran = await runFake(["bench", ...args]);
    expect(ran).toMatchObject({ code: 2, loads: [] });
    expect(ran.err).toContain(message);
  });

  it("frees the model when an answer fails or Ctrl-C comes", async () => {
    expect(await runFake(["bench"], { fail: new Error("broken") })).toMatchObject({ code: 1, disposed: 1 });
    expect(await runFake(["bench"], { interrupt: "throw" })).toMatchObject({ code: 130, disposed: 1 });
  });
});
