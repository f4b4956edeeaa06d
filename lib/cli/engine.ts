// What the command line uses of the engine; replaced by the engine's own types as soon as they exist.
import type { CpuInfo, NativeModelInfo } from "../native/binding.js";
import type { LoweredPlan, Plan } from "../prune/plan.js";
import type { Message } from "../text/messages.js";

export interface ModelInfo extends NativeModelInfo {
  path: string;
}
export interface StageUsage {
  name: string;
  hook: string;
  layer?: number;
  images: { rowsIn: number; rowsOut: number; kept?: Int32Array }[];
}
export interface Usage {
  promptRows: number;
  visualRows: number;
  generatedTokens: number;
  stages: StageUsage[];
  skipped: LoweredPlan["skip"];
  kvRows: Int32Array;
}
export interface Timings {
  preprocess: number;
  encode: number;
  prefill: number;
  decode: number;
  select: number;
  queue: number;
  total: number;
}
export interface Reply {
  text: string;
  finishReason: "stop" | "length" | "cancelled";
  usage: Usage;
  timings: Timings;
}
export interface GenerateOptions {
  messages: Message[];
  plan?: Plan;
  signal?: AbortSignal;
  maxTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
  stop?: string | string[];
  keepLists?: boolean;
}
export type StreamEvent =
  | { type: "text-delta"; text: string; tokens: unknown }
  | { type: "generation-end"; reply: Reply };
export interface Model {
  info: ModelInfo;
  stream(options: GenerateOptions): AsyncIterable<StreamEvent>;
  process(messages: Message[]): Promise<Record<string, { data: ArrayLike<number | bigint>; shape: number[] }>>;
  dispose(): Promise<void>;
}
export interface Engine {
  loadModel(dirOrName: string, options: { dtype?: "auto" | "f32" | "bf16" | "f16"; threads?: number }): Promise<Model>;
  cpuInfo(): CpuInfo;
}
