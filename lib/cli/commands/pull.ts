import type { Command } from "commander";
import { collect } from "../collect.js";
import type { CliContext } from "../context.js";
import { pullLine } from "../pull-progress.js";

interface PullCommandOptions {
  file?: string[];
}

/** Adds `fovea pull`: downloads a model from the Hugging Face hub. */
export function addPullCommand(program: Command, context: CliContext): void {
  program
    .command("pull")
    .summary("download a model from the Hugging Face hub")
    .description(
      "Downloads what Fovea needs of a model into the cache that Python's huggingface_hub uses too, goes on where an " +
        "earlier download stopped, checks every file, and prints the folder. --model then takes the same name.",
    )
    .argument(
      "<owner/name>",
      "a repository; owner/name:Q4_K_M for its GGUF model of that name and the mmproj; at a branch, tag or commit with @revision",
    )
    .option("--file <name>", "this file instead of the weights (repeatable)", collect)
    .addHelpText(
      "after",
      "\nEnvironment: HF_TOKEN (or `hf auth login`), HF_HOME or HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE.",
    )
    .action((name: string, options: PullCommandOptions) => pull(name, options, context));
}

async function pull(
  name: string,
  { file }: PullCommandOptions,
  { engine, out, err, signal }: CliContext,
): Promise<void> {
  const line = pullLine(err);
  const options = { ...(file !== undefined && { files: file }), signal, onProgress: line.update };
  const folder = await engine.pullModel(name, options).finally(line.clear);
  out.write(`${folder}\n`);
}
