// The built command with the real engine and the embedded model.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

let folder: string;
let image: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fovea-main-"));
  image = join(folder, "red.png");
  await sharp({ create: { width: 300, height: 200, channels: 3, background: "#c02020" } }).toFile(image);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command; with `interrupt`, presses Ctrl-C once the answer has begun. */
function fovea(args: string[], { interrupt = false } = {}) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      if (interrupt && out === "") child.kill("SIGINT");
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const ask = (...args: string[]) => ["ask", image, "What color is the background?", ...args];

describe("fovea, built", () => {
  it("answers, reports, and draws what was kept", async () => {
    const file = join(folder, "kept.png");
    const { code, out, err } = await fovea(
      ask("--prune", "divPrune:keep=0.5,pyramidDrop", "--skip-layers", "ffn:6-7", "--show", file),
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^\S.*\n$/);
    expect(err).toContain(
      "→ divPrune 128 → pyramidDrop layer 2: 64 → layer 4: 32 → layer 6: 16\nskipped ffn 6, ffn 7\n",
    );
    const { data, info } = await sharp(readFileSync(file)).raw().toBuffer({ resolveWithObject: true });
    const [r, g, b] = data.subarray((100 * info.width + 100) * 3) as unknown as [number, number, number];
    expect([r, g, b]).toEqual([0xc0, 0x20, 0x20]); // what the model saw is what was in the file
  });

  it("--json: one object and nothing else", async () => {
    const { code, out, err } = await fovea(ask("--json", "--max-tokens", "2"));
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({
      text: expect.any(String),
      usage: { visualRows: 256 },
      timings: {},
      plan: {},
    });
  });

  it("Ctrl-C while the answer comes", async () => {
    // At this temperature words are noise, and this seed does not end before the limit: seconds to be interrupted in.
    const args = ask("--max-tokens", "1500", "--temperature", "100", "--seed", "5");
    const { code, err } = await fovea(args, { interrupt: true });
    expect([code, err]).toEqual([130, ""]);
  });

  it.each([
    [["ask", "none.png", "what?"], 1, "[ERR_FOVEA_IMAGE]"],
    [["ask", "none.png", "what?", "--model", "none"], 1, "[ERR_FOVEA_MODEL_NOT_FOUND]"],
    [["ask", "none.png", "what?", "--prune", "pyramidDrop:layers=8"], 1, "the model has 8 layers"],
    [["ask", "none.png"], 2, "missing required argument"],
  ])("%j fails in one readable line", async (args, expected, text) => {
    const { code, out, err } = await fovea(args);
    expect([code, out]).toEqual([expected, ""]);
    expect(err).toContain(text);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it("info", async () => {
    const { code, out } = await fovea(["info"]);
    expect(code).toBe(0);
    expect(out).toContain("256 rows per image");
  });
});
