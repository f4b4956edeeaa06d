import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";
import type { CalibrationSample } from "./calibrate.js";

const maxBytes = 2 ** 26;
const pictures = /\.(jpe?g|png|webp|gif)$/i;

/**
 * Reads prompts from a JSONL file, `{"image": "a.png", "question": "…"}` a line with paths relative to it (`images` for
 * several, neither for text alone; other keys are ignored), or from a folder of pictures, with one question for all.
 *
 * @param limit - takes the first so many: lines in their order, pictures by name.
 * @throws FoveaError ERR_FOVEA_INVALID_ARGUMENT, naming the line.
 */
export async function readSamples(path: string, question: string, limit = Infinity): Promise<CalibrationSample[]> {
  const info = await stat(path).catch((cause: Error) => {
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `Cannot read ${path}: ${cause.message}.`, { cause });
  });
  const samples = info.isDirectory()
    ? await fromFolder(path, question, limit)
    : await fromLines(path, info.size, limit);
  if (samples.length > 0) return samples;
  throw invalid(`${path} has no ${info.isDirectory() ? "JPEG, PNG, WebP or GIF files" : "lines"}`);
}

async function fromFolder(folder: string, question: string, limit: number): Promise<CalibrationSample[]> {
  const names = (await readdir(folder)).filter((name) => pictures.test(name)).sort();
  return names.slice(0, limit).map((name) => sample([join(folder, name)], question));
}

async function fromLines(file: string, size: number, limit: number): Promise<CalibrationSample[]> {
  if (size > maxBytes) throw invalid(`${file} has ${size} bytes; expected at most ${maxBytes}`);
  const lines = (await readFile(file, "utf8")).split("\n").map((text, i) => ({ text: text.trim(), where: i + 1 }));
  const filled = lines.filter(({ text }) => text !== "").slice(0, limit);
  return filled.map(({ text, where }) => fromLine(text, `${file}, line ${where}`, dirname(file)));
}

function fromLine(text: string, where: string, folder: string): CalibrationSample {
  const { image, images, question } = parseLine(text, where);
  if (typeof question !== "string") throw invalid(`${where}: "question" must be a text`);
  const paths = images ?? (image === undefined ? [] : [image]);
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string")) {
    throw invalid(`${where}: "image" must be a path, or "images" a list of paths`);
  }
  return sample(
    paths.map((path) => resolve(folder, path)),
    question,
  );
}

function parseLine(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch {} // told below
  throw invalid(`${where}: expected a JSON object`);
}

function sample(images: string[], question: string): CalibrationSample {
  const parts = images.map((image) => ({ type: "image" as const, image }));
  return { messages: [{ role: "user", content: [...parts, { type: "text", text: question }] }] };
}

function invalid(message: string): FoveaError {
  return new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${message}.`);
}
