import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { layerRows } from "../../engine/layer-rows.js";
import type { GenerateOptions, Message, Plan, Reply } from "../../index.js";
import { visualMacs } from "../../prune/visual-macs.js";
import { collect } from "../collect.js";
import type { CliContext, CliModel } from "../context.js";
import { given } from "../given.js";
import { methodsHelp } from "../methods-help.js";
import { dtypeOption, type ModelOptions, mmprojOption, modelOption } from "../model-option.js";
import { parseNumber } from "../parse-number.js";
import { addPlanOptions, type PlanOptions, readPlan } from "../plan-options.js";
import { report } from "../report.js";
import { renderShown } from "../show.js";
import { shownImages } from "../shown-images.js";

type SamplingOptions = Pick<
  GenerateOptions,
  "maxTokens" | "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "seed" | "stop"
>;

interface AskOptions extends PlanOptions, SamplingOptions, ModelOptions {
  image?: string[];
  video?: string[];
  videoFps?: number;
  json?: boolean;
  keepLists?: boolean;
  show?: string;
}

/** Adds `fovea ask`: one question about one or several images or videos. */
export function addAskCommand(program: Command, context: CliContext): void {
  const command = program
    .command("ask")
    .summary("ask a question about an image")
    .description("Asks a question about an image, streams the answer, and says what was dropped and how long it took.")
    .argument("<image>", "path of a JPEG, PNG, WebP or GIF file; left out where --video is given")
    .argument("[question]", "in plain words")
    .option("--image <path>", "one more image, after the first (repeatable)", collect)
    .option("--video <path>", "a video, as GIF or animated WebP, after the images (repeatable)", collect)
    .option("--video-fps <n>", "frames a second to see of videos, rather than as the model's settings say", parseNumber)
    .addOption(modelOption())
    .addOption(mmprojOption());
  addPlanOptions(command)
    .option("--max-tokens <n>", "tokens to generate at most", parseNumber)
    .option("--temperature <t>", "0 takes the likeliest token", parseNumber)
    .option("--top-k <k>", "draw among the k likeliest tokens", parseNumber)
    .option("--top-p <p>", "draw among the likeliest tokens that share p of the probability", parseNumber)
    .option("--min-p <p>", "drop tokens below this share of the likeliest one's probability", parseNumber)
    .option("--repetition-penalty <r>", "above 1, make tokens that occurred less likely", parseNumber)
    .option("--seed <n>", "start of the random numbers", parseNumber)
    .option("--stop <text>", "end the answer before this text (repeatable)", collect)
    .addOption(dtypeOption())
    .option("--threads <n>", "compute threads", parseNumber)
    .option("--json", "print one JSON object instead of text and report")
    .option("--keep-lists", "with --json: the rows that every stage kept")
    .option("--show <file.png>", "draw which patches every stage kept")
    .addHelpText("after", methodsHelp)
    .action((first: string, second: string | undefined, options: AskOptions) => {
      const { image = [], video = [] } = options;
      if (second === undefined && video.length === 0) command.error("error: missing required argument 'question'");
      const [images, question] = second === undefined ? [image, first] : [[first, ...image], second];
      return ask(userMessage(images, video, options.videoFps, question), options, context);
    });
}

async function ask(message: Message, options: AskOptions, context: CliContext): Promise<void> {
  const { out, err, signal, colours } = context;
  const plan = await readPlan(options);
  const messages = [message];
  const model = await context.engine.loadModel(options.model, given(options, ["mmproj", "dtype", "threads"]));
  try {
    const reply = await answer(model, messages, plan, options, context);
    if (options.json === true) out.write(`${toJson(reply, model, plan)}\n`);
    else err.write(`${report(reply).map(colours.dim).join("\n")}\n`);
    if (options.show !== undefined && !signal.aborted) {
      await writeFile(options.show, await renderShown(await shownImages(model, messages, reply.usage.stages)));
    }
  } finally {
    await model.dispose();
  }
}

function userMessage(images: string[], videos: string[], fps: number | undefined, question: string): Message {
  const sample = fps === undefined ? {} : { sample: { fps } };
  return {
    role: "user",
    content: [
      ...images.map((image) => ({ type: "image" as const, image })),
      ...videos.map((video) => ({ type: "video" as const, video, ...sample })),
      { type: "text", text: question },
    ],
  };
}

/** Generates, writing the text as it comes unless JSON is wanted. */
async function answer(
  model: CliModel,
  messages: Message[],
  plan: Plan | undefined,
  options: AskOptions,
  { out, signal }: CliContext,
): Promise<Reply> {
  signal.throwIfAborted();
  const request = {
    messages,
    signal,
    ...(plan !== undefined && { plan }),
    ...samplingOptions(options),
    keepLists: options.show !== undefined || options.keepLists === true,
  };
  let reply: Reply | undefined;
  let hasText = false;
  for await (const event of model.stream(request)) {
    if (event.type === "generation-end") {
      reply = event.reply;
    } else if (options.json !== true) {
      // Answers of many models begin with the space that separates them from the prompt.
      const text: string = hasText ? event.text : event.text.trimStart();
      hasText ||= text !== "";
      out.write(text);
    }
  }
  if (options.json !== true) out.write("\n");
  if (reply === undefined) throw new Error("The stream ended without a reply.");
  return reply;
}

/** The sampling options that were given; the engine has defaults for the others. */
function samplingOptions(options: AskOptions): SamplingOptions {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop } = options;
  const all = { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function toJson(reply: Reply, model: CliModel, plan: Plan | undefined): string {
  const { text, finishReason, usage, timings } = reply;
  const { nLayers } = model.info;
  const everyRow = layerRows({ ...usage, stages: [], skipped: [] }, nLayers);
  const macs = {
    spent: visualMacs(layerRows(usage, nLayers), model.info),
    unpruned: visualMacs(everyRow, model.info),
  };
  const object = { text, finishReason, usage: { ...usage, visualMacs: macs }, timings, plan: plan ?? {} };
  return JSON.stringify(object, (_, value) => (value instanceof Int32Array ? [...value] : value));
}
