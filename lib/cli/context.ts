import type pc from "picocolors";
import type { CpuInfo, LoadOptions, Model, PullOptions } from "../index.js";

/** What commands use of a model. */
export type CliModel = Pick<
  Model,
  "info" | "stream" | "process" | "forward" | "pixelScaling" | "costModel" | "dispose"
>;

/** What commands use of the engine. */
export interface Engine {
  loadModel(dirOrName: string, options: LoadOptions): Promise<CliModel>;
  pullModel(name: string, options: PullOptions): Promise<string>;
  cpuInfo(): CpuInfo;
}

/** Where text goes. */
export interface TextSink {
  /** True where a line can be written over. */
  isTTY?: boolean;
  write(text: string): unknown;
}

/** Everything a command touches outside itself, so that tests can put something else in its place. */
export interface CliContext {
  engine: Engine;
  /** Answers and JSON, nothing else. */
  out: TextSink;
  /** Reports and errors. */
  err: TextSink;
  /** Colours for `err`. */
  colours: ReturnType<typeof pc.createColors>;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Of this package. */
  version: string;
  /** Show stacks of errors. */
  isDebug: boolean;
}
