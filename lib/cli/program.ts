import { Command, CommanderError } from "commander";
import { addAskCommand } from "./commands/ask.js";
import { addBenchCommand } from "./commands/bench.js";
import { addCalibrateCommand } from "./commands/calibrate.js";
import { addEvalCommand } from "./commands/eval.js";
import { addInfoCommand } from "./commands/info.js";
import { addPullCommand } from "./commands/pull.js";
import { addTuneCommand } from "./commands/tune.js";
import type { CliContext } from "./context.js";
import { formatError } from "./format-error.js";

/**
 * Runs the command line.
 *
 * @returns the exit code: 0, 1 after an error, 2 when the command line makes no sense, 130 after Ctrl-C.
 */
export async function runCli(args: string[], context: CliContext): Promise<number> {
  const { out, err, signal } = context;
  const program = new Command("fovea")
    .description("Vision-language models that look only where it matters.")
    .version(context.version, "--version")
    .showHelpAfterError("(--help lists the options)")
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) });
  addAskCommand(program, context);
  addEvalCommand(program, context);
  addBenchCommand(program, context);
  addCalibrateCommand(program, context);
  addInfoCommand(program, context);
  addPullCommand(program, context);
  addTuneCommand(program, context);
  try {
    await program.parseAsync(args, { from: "user" });
    return signal.aborted ? 130 : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (signal.aborted) return 130;
    err.write(formatError(error, context));
    return 1;
  }
}
