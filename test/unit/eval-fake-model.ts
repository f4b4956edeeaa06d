import type { EvalModel, QuestionSet } from "../../lib/eval/index.js";
import type { GenerateOptions, Reply } from "../../lib/index.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { fakeInfo } from "./cli-fake-engine.js";

/** Questions without pictures: three pictures, mixed. */
export function questionSet(n: number, more: Partial<QuestionSet> = {}): QuestionSet {
  const questions = Array.from({ length: n }, (_, i) => ({
    id: `q${i}`,
    kind: i % 2 === 0 ? "even" : "odd",
    image: new Uint8Array([i % 3]),
    imageKey: String(i % 3),
    text: `Question ${i}?`,
    answers: [`answer ${i}`],
  }));
  return { path: "q.jsonl", format: "jsonl", rule: "exact", suffix: "", questions, digest: "d1", ...more };
}

/** A model that answers what it is told to, and remembers what it was asked and how many at a time. */
export class FakeModel implements EvalModel {
  readonly info = fakeInfo;
  readonly requests: GenerateOptions[] = [];
  mostAtOnce = 0;
  #running = 0;
  readonly #answer: (text: string, isPruned: boolean) => string | Error;

  constructor(answer: (text: string, isPruned: boolean) => string | Error = () => "answer") {
    this.#answer = answer;
  }

  /** The texts that were asked, in order. */
  get asked(): string[] {
    return this.requests.map(({ messages }) => String(messages[0]?.content));
  }

  async *stream(request: GenerateOptions): ReturnType<EvalModel["stream"]> {
    this.requests.push(request);
    this.#running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running);
    try {
      await new Promise((resolve) => setTimeout(resolve, 1));
      request.signal?.throwIfAborted();
      const { stages } = lowerPlan(request.plan, fakeInfo);
      const text = this.#answer(String(request.messages[0]?.content), stages.length > 0);
      if (text instanceof Error) throw text;
      yield { type: "generation-end", reply: reply(text, stages.length > 0) };
    } finally {
      this.#running -= 1;
    }
  }
}

/** Without a plan 256 visual rows in every layer; with one, whatever it is, 64. */
function reply(text: string, isPruned: boolean): Reply {
  const stages = isPruned ? [{ name: "x", hook: "projected", images: [{ rowsIn: 256, rowsOut: 64 }] }] : [];
  return {
    text: ` ${text} `,
    tokens: [],
    finishReason: "stop",
    usage: {
      promptRows: 270,
      cachedImages: 0,
      cachedRows: 0,
      visualRows: 256,
      generatedTokens: 3,
      stages,
      skipped: [],
      kvRows: [],
    },
    timings: {
      preprocess: 1,
      queue: 0,
      encode: 80,
      prefill: isPruned ? 10 : 40,
      select: isPruned ? 2 : 0,
      decode: 6,
      total: 130,
    },
  };
}
