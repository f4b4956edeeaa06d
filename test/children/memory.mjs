// Measures how much memory rounds of one kind leave behind. Prints {growth: bytes of resident memory per round, aborted:
// how many rounds were cut off}.
//   node --expose-gc memory.mjs aborts|loads <rounds>
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loadModel } from "../../dist/index.js";

const picture = fileURLToPath(new URL("../../model/eval/images/001.webp", import.meta.url));
/** @type {import("../../dist/index.js").Message[]} */
const messages = [
  {
    role: "user",
    content: [
      { type: "image", image: picture },
      { type: "text", text: "dog ".repeat(150) },
    ],
  },
];

/**
 * Numbers in [0, 1) from a seed: Lehmer's generator.
 * @param {number} seed
 */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Rounds that abort a generation at a random point between preprocessing and the last tokens. */
async function abortRounds() {
  const model = await loadModel("fovea-mini", { kvCacheBytes: 2 ** 22 });
  const random = randomFrom(20261122);
  const request = { messages, temperature: 100, seed: 1, maxTokens: 24, cache: false };
  await model.generate(request); // the first one takes longer
  const { total } = (await model.generate(request)).timings;
  let aborted = 0;
  return {
    round: async () => {
      const signal = AbortSignal.timeout(Math.ceil(random() * total));
      await model.generate({ ...request, signal }).catch((error) => {
        if (error !== signal.reason) throw error;
        aborted++;
      });
    },
    end: async () => {
      await model.dispose();
      return aborted;
    },
  };
}

/** Rounds that load the model, use it and dispose it. */
async function loadRounds() {
  return {
    round: async () => {
      const model = await loadModel("fovea-mini", { kvCacheBytes: 2 ** 22 });
      await model.generate({ messages, maxTokens: 1 });
      await model.dispose();
    },
    end: async () => 0,
  };
}

async function residentMemory() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(5);
  }
  return process.memoryUsage.rss();
}

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const [, , kind, count] = process.argv;
const rounds = Number(count);
const { round, end } = await (kind === "aborts" ? abortRounds() : loadRounds());
for (let i = 0; i < rounds / 4; i++) await round(); // fills caches and the allocators' pools
const memory = [];
for (let i = 0; i < rounds; i++) {
  await round();
  if (i % 5 === 4) memory.push(await residentMemory());
}
const third = Math.floor(memory.length / 3);
const grown = median(memory.slice(-third)) - median(memory.slice(0, third));
// The two medians stand two thirds of the rounds apart.
console.log(JSON.stringify({ growth: grown / ((rounds * 2) / 3), aborted: await end(), memory }));
