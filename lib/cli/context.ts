import type pc from "picocolors";
import type { Engine } from "./engine.js";

/** Where text goes. */
export interface TextSink {
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
