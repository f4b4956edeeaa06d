import { fileURLToPath } from "node:url";
import pc from "picocolors";
import type { CliContext, Engine } from "../../lib/cli/context.js";
import { runCli } from "../../lib/cli/program.js";
import type { GenerateOptions, ModelInfo, Plan, Reply } from "../../lib/index.js";

export const fakeInfo: ModelInfo = {
  path: fileURLToPath(new URL("../../model/fovea-mini", import.meta.url)),
  family: "llava",
  dtype: "bf16",
  tier: "avx2",
  threads: 2,
  parameters: 11_250_000,
  weightBytes: 22_500_000,
  contextLength: 2048,
  vocabSize: 970,
  nLayers: 8,
  dModel: 256,
  nHeads: 4,
  nKvHeads: 2,
  dHead: 64,
  dFf: 704,
  tower: {
    nLayers: 6,
    dModel: 256,
    nHeads: 4,
    dFf: 1024,
    rows: 257,
    imageSize: 224,
    patchSize: 14,
    hasClassRow: true,
    frames: 1,
    isPrunable: true,
  },
  projectorMacsPerRow: 131_072,
  imageRows: 256,
  imageTokenId: 3,
};

export const fakeReply: Reply = {
  text: "a green turtle",
  tokens: [],
  finishReason: "stop",
  usage: {
    promptRows: 271,
    visualRows: 256,
    cachedImages: 0,
    cachedRows: 0,
    generatedTokens: 5,
    stages: [
      { name: "divPrune", hook: "projected", images: [{ rowsIn: 256, rowsOut: 64 }] },
      { name: "pyramidDrop", hook: "decoder-layer", layer: 2, images: [{ rowsIn: 64, rowsOut: 32 }] },
      {
        name: "pyramidDrop",
        hook: "decoder-layer",
        layer: 4,
        images: [{ rowsIn: 32, rowsOut: 2, kept: Int32Array.of(0, 17) }],
      },
    ],
    skipped: [
      { layer: 6, part: "attention", phase: "both" },
      { layer: 7, part: "ffn", phase: "decode" },
    ],
    kvRows: [79, 79, 47, 47, 17, 17, 0, 17],
  },
  timings: { preprocess: 12.4, encode: 80, prefill: 30, decode: 20, select: 2, queue: 0.1, total: 143 },
};

/** What a run of the command line did. */
export interface Ran {
  code: number;
  out: string;
  err: string;
  requests: GenerateOptions[];
  /** Plans of forward passes. */
  forwards: (Plan | undefined)[];
  loads: unknown[][];
  pulls: unknown[][];
  disposed: number;
}

/** Runs the command line against a model that says what it is told to. */
export async function runFake(
  args: string[],
  options: {
    deltas?: string[];
    reply?: Reply;
    fail?: Error;
    /** Ctrl-C after the first piece of text: the stream throws, or ends early with a reply. */
    interrupt?: "throw" | "end";
    isDebug?: boolean;
    isTTY?: boolean;
  } = {},
): Promise<Ran> {
  const ran: Ran = { code: -1, out: "", err: "", requests: [], forwards: [], loads: [], pulls: [], disposed: 0 };
  const controller = new AbortController();
  const engine: Engine = {
    cpuInfo: () => ({
      brand: "Test CPU",
      features: ["avx2", "fma"],
      tier: "avx2",
      tiers: ["scalar", "avx2"],
      cores: 2,
    }),
    pullModel: async (...pull) => {
      ran.pulls.push(pull);
      pull[1].onProgress?.({ repository: pull[0], file: "model.safetensors", bytes: 5e5, totalBytes: 2e6 });
      return "/cache/snapshot";
    },
    loadModel: async (...load) => {
      ran.loads.push(load);
      return {
        info: fakeInfo,
        async *stream(request) {
          ran.requests.push(request);
          for (const text of options.deltas ?? [" a green", " turtle"]) {
            yield { type: "text-delta" as const, text, tokens: [] };
            if (options.interrupt === undefined) continue;
            controller.abort();
            if (options.interrupt === "throw") request.signal?.throwIfAborted();
            else break;
          }
          if (options.fail !== undefined) throw options.fail;
          yield { type: "generation-end" as const, reply: options.reply ?? fakeReply };
        },
        process: async () => ({
          input_ids: { data: new Int32Array(271).fill(fakeInfo.imageTokenId, 5, 261), shape: [1, 271] },
          pixel_values: { data: new Float32Array(3 * 224 * 224), shape: [1, 3, 224, 224] },
        }),
        forward: async ({ plan }, { depth } = {}) => {
          ran.forwards.push(plan);
          const change = { cosine: 0.5, contribution: 0.25 };
          const rows = { rows: 3, attention: change, ffn: change, block: change };
          const layers = Array.from({ length: fakeInfo.nLayers }, () => ({ text: rows, visual: rows }));
          const lastRow = { data: new Float32Array(9), shape: [9, 1] as [number, number] };
          return {
            logits: { data: new Float32Array(), shape: [1, 0, 0] },
            lastHidden: { data: Float32Array.of(3, plan?.stages === undefined ? 0 : 4), shape: [1, 2] },
            rows: [],
            stages: [],
            ...(depth && { depth: [{ layers, lastRow }] }),
          };
        },
        pixelScaling: () => ({ scale: [1, 1, 1], offset: [0, 0, 0] }),
        costModel: async () => ({
          encode: { fixed: 10, slope: 0 },
          prefill: { fixed: 0, slope: 1e-8 },
          select: {},
        }),
        dispose: async () => {
          ran.disposed += 1;
        },
      };
    },
  };
  const context: CliContext = {
    engine,
    out: { write: (text) => (ran.out += text) },
    err: { write: (text) => (ran.err += text), isTTY: options.isTTY ?? false },
    colours: pc.createColors(false),
    signal: controller.signal,
    version: "1.2.3",
    isDebug: options.isDebug ?? false,
  };
  ran.code = await runCli(args, context);
  return ran;
}
