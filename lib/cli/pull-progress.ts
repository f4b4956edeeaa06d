import type { PullProgress } from "../index.js";
import type { CliContext, Engine } from "./context.js";
import { ProgressLine, pullText } from "./progress-line.js";

/** A line that shows a download, with its speed since the first call: what was there before does not count. */
export function pullLine(err: CliContext["err"]): { update(progress: PullProgress): void; clear(): void } {
  let first: number | undefined;
  const line = new ProgressLine<PullProgress>(err, (progress, seconds) =>
    pullText(progress, (progress.bytes - (first ?? 0)) / Math.max(seconds, 1e-3)),
  );
  return {
    update: (progress) => {
      first ??= progress.bytes;
      line.update(progress);
    },
    clear: () => line.clear(),
  };
}

/** Lets every command that loads a model show its download, and Ctrl-C stop it. */
export function withPullLine(engine: Engine, { err, signal }: Pick<CliContext, "err" | "signal">): Engine {
  return {
    ...engine,
    loadModel: async (dirOrName, options) => {
      const line = pullLine(err);
      let isPulling = false;
      try {
        return await engine.loadModel(dirOrName, {
          signal,
          ...options,
          onProgress: (fraction, pull) => {
            if (pull !== undefined) line.update(pull);
            else if (isPulling) line.clear();
            isPulling = pull !== undefined;
            options.onProgress?.(fraction, pull);
          },
        });
      } finally {
        if (isPulling) line.clear();
      }
    },
  };
}
