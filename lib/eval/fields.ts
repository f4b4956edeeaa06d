import { isRecord } from "../is-record.js";
import { questionError } from "./question-error.js";

/** A JSON object of a file, and where it stands there. */
export interface Entry {
  where: string;
  record: Record<string, unknown>;
}

/** A JSON text of unknown origin. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw questionError(where, text, `JSON (${(cause as Error).message})`, cause);
  }
}

/** The objects of a file that holds one a line; empty lines are passed over. */
export function jsonLines(text: string, path: string): Entry[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const where = `${path}, line ${i + 1}`;
    return [entry(parseJson(line, where), where)];
  });
}

/** A value that must be an object. */
export function entry(value: unknown, where: string): Entry {
  if (!isRecord(value)) throw questionError(where, value, "an object");
  return { where, record: value };
}

/** A field that must be a text with something in it. */
export function textField({ record, where }: Entry, name: string): string {
  const value = record[name];
  if (typeof value !== "string" || value.trim() === "") throw questionError(`${where}, ${name}`, value, "a text");
  return value;
}

/** A field that must be a text or a number, which becomes one. */
export function idField({ record, where }: Entry, name: string): string {
  const value = record[name];
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  if (typeof value === "string" && value !== "") return value;
  throw questionError(`${where}, ${name}`, value, "a text or a number");
}

/** A field that must be a list of texts, at least one. */
export function textsField({ record, where }: Entry, name: string): string[] {
  const value = record[name];
  if (!Array.isArray(value) || value.length === 0 || !value.every((one) => typeof one === "string")) {
    throw questionError(`${where}, ${name}`, value, "a list of texts");
  }
  return value;
}
