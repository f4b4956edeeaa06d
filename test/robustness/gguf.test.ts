// GGUF files that are cut short, changed, missing, or not the ones meant: typed errors, and nothing else happens.
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type FoveaErrorCode, type LoadOptions, loadModel } from "../../lib/index.js";
import { refusal } from "../engine/fixtures.js";

const scratch = mkdtempSync(join(tmpdir(), "fovea-gguf-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let copies = 0;
/** A copy of a tiny LLaVA in GGUF, or of another model, changed. */
function copy(change: (folder: string) => void = () => {}, model = "llava"): string {
  const folder = join(scratch, String(copies++));
  cpSync(fileURLToPath(new URL(`../golden/gguf/${model}`, import.meta.url)), folder, { recursive: true });
  change(folder);
  return folder;
}

const decoder = "llava-F32.gguf";
const mmproj = "mmproj-llava-F32.gguf";
const lfm2 = "lfm2-vl-BF16.gguf";

/** Numbers as a list of 32 bits each. */
const list = (...numbers: number[]) => Buffer.from(Int32Array.from(numbers).buffer).toString("latin1");

/** Replaces bytes of a file, all places alike. */
const replace = (name: string, from: string, to: string) => (folder: string) => {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(readFileSync(path, "latin1").replaceAll(from, to), "latin1"));
};

describe("loadModel() of GGUF files refuses", () => {
  const cases: [string, (folder: string) => void, LoadOptions, FoveaErrorCode, RegExp][] = [
    ["no mmproj", (f) => rmSync(join(f, mmproj)), {}, "ERR_FOVEA_MODEL_NOT_FOUND", /no mmproj-\*\.gguf beside it/],
    ["an mmproj that is not there", () => {}, { mmproj: "none.gguf" }, "ERR_FOVEA_MODEL_NOT_FOUND", /none\.gguf/],
    ["no name of an mmproj", () => {}, { mmproj: "" }, "ERR_FOVEA_INVALID_ARGUMENT", /mmproj/],
    [
      "several mmprojs",
      (f) => cpSync(join(f, mmproj), join(f, "mmproj-b.gguf")),
      {},
      "ERR_FOVEA_INVALID_ARGUMENT",
      /several mmproj files.*mmproj-b\.gguf/,
    ],
    [
      "several decoders",
      (f) => cpSync(join(f, decoder), join(f, "b.gguf")),
      {},
      "ERR_FOVEA_INVALID_ARGUMENT",
      /several GGUF models.*b\.gguf/,
    ],
    [
      "the mmproj in the place of the decoder",
      (f) => renameSync(join(f, mmproj), join(f, decoder)),
      { mmproj: decoder },
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      /mmproj file/,
    ],
    ["the decoder as mmproj", () => {}, { mmproj: decoder }, "ERR_FOVEA_MODEL_UNSUPPORTED", /is no mmproj file/],
    ["a decoder cut short", (f) => truncateSync(join(f, decoder), 40_000), {}, "ERR_FOVEA_MODEL_FORMAT", /truncated/],
    ["a header cut short", (f) => truncateSync(join(f, decoder), 400), {}, "ERR_FOVEA_MODEL_FORMAT", /truncated/],
    ["an empty file", (f) => truncateSync(join(f, decoder), 0), {}, "ERR_FOVEA_MODEL_FORMAT", /empty/],
    [
      "an mmproj that is something else",
      (f) => writeFileSync(join(f, mmproj), "PK\x03\x04 and so on"),
      {},
      "ERR_FOVEA_MODEL_FORMAT",
      /GGUF file\?/,
    ],
    [
      "another architecture",
      replace(
        decoder,
        "general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0llama",
        "general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0gemma",
      ),
      {},
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      /"gemma"/,
    ],
    [
      "a tensor that is missing",
      replace(decoder, "blk.1.attn_k.weight", "blk.1.attn_x.weight"),
      {},
      "ERR_FOVEA_MODEL_FORMAT",
      /blk\.1\.attn_k\.weight \(8, 32\) is missing/,
    ],
    [
      "no tower",
      replace(mmproj, "v.patch_embd.weight", "x.patch_embd.weight"),
      {},
      "ERR_FOVEA_MODEL_FORMAT",
      /v\.patch_embd\.weight/,
    ],
  ];
  it.each(cases)("%s", async (_, change, options, code, message) => {
    const got = await refusal(loadModel(copy(change), options));
    expect(got.message).toMatch(message);
    expect(got.code, got.message).toBe(code);
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    [
      "a convolution that is missing",
      replace(lfm2, "blk.3.shortconv.conv", "blk.3.shortconv.conx"),
      /blk\.3\.shortconv\.conv/,
    ],
    ["a last norm that is missing", replace(lfm2, "token_embd_norm", "token_embd_nxrm"), /token_embd_norm/],
    [
      "a layer that attends among those that convolve",
      replace(lfm2, list(0, 0, 2, 0, 2, 0), list(0, 2, 2, 0, 2, 0)),
      /blk\.1\.attn_q\.weight/,
    ],
    [
      "heads that differ",
      replace(lfm2, list(0, 0, 2, 0, 2, 0), list(0, 0, 2, 0, 4, 0)),
      /head_count_kv.*the same, or 0/,
    ],
    ["endless taps", replace(lfm2, "l_cache\x04\0\0\0\x03", "l_cache\x04\0\0\0\xff"), /conv_L_cache/],
    ["no table of positions", replace(`mmproj-${lfm2}`, "v.position_embd", "v.position_embx"), /v\.position_embd/],
    ["no projector", replace(`mmproj-${lfm2}`, "mm.1.weight", "mm.9.weight"), /mm\.1\.weight/],
    ["half of a norm", replace(`mmproj-${lfm2}`, "mm.input_norm.bias", "mm.input_norx.bias"), /mm\.input_norm\.bias/],
    [
      "endless squares",
      replace(`mmproj-${lfm2}`, "scale_factor\x04\0\0\0\x02", "scale_factor\x04\0\0\0\x80"),
      /downsample_factor/,
    ],
  ])("an LFM2-VL with %s", async (_, change, message) => {
    const got = await refusal(loadModel(copy(change, "lfm2-vl")));
    expect(got.message).toMatch(message);
    expect(got.code, got.message).toBe("ERR_FOVEA_MODEL_FORMAT");
  });

  it("a folder of safetensors with an mmproj", async () => {
    const got = await refusal(loadModel("fovea-mini", { mmproj: join(copy(), mmproj) }));
    expect(got).toMatchObject({
      code: "ERR_FOVEA_INVALID_ARGUMENT",
      message: expect.stringContaining("no GGUF model"),
    });
  });
});

it("without a tokenizer that can be read, forward runs and what needs text fails", async () => {
  const folder = copy(replace(decoder, "tokenizer.ggml.scores", "tokenizer.ggml.scorex"));
  await using model = await loadModel(folder);
  const { logits } = await model.forward({ input_ids: { data: Int32Array.of(1, 5, 6), shape: [1, 3] } });
  expect(logits.shape).toEqual([1, 3, 64]);
  const got = await refusal(model.generate({ messages: [{ role: "user", content: "a" }] }));
  expect(got).toMatchObject({ code: "ERR_FOVEA_MODEL_FORMAT", message: expect.stringContaining("scores") });
});
