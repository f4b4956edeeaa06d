import { type FileHandle, open } from "node:fs/promises";
import { FoveaError } from "../errors.js";
import { isRecord } from "../is-record.js";

const maxBytes = 64 * 1024 * 1024;

/**
 * The values of plans, in memory and, when opened, in a file: a header, then one plan a line. The search of a seed asks
 * for the same plans in the same order, so a run that was stopped goes on by asking again.
 */
export class EvaluationLog {
  readonly #values: Map<string, number>;
  readonly #file: FileHandle | undefined;

  constructor(values = new Map<string, number>(), file?: FileHandle) {
    this.#values = values;
    this.#file = file;
  }

  /**
   * Opens a file, or begins it.
   *
   * @param header - all that values depend on.
   * @throws FoveaError ERR_FOVEA_INVALID_ARGUMENT when the file has another header.
   */
  static async open(path: string, header: unknown): Promise<EvaluationLog> {
    const file = await open(path, "a+");
    try {
      const { size } = await file.stat();
      const text = size > maxBytes ? "too large" : await file.readFile("utf8");
      const complete = text.slice(0, text.lastIndexOf("\n") + 1);
      const [first, ...lines] = complete.split("\n");
      if (size === 0) await file.appendFile(`${JSON.stringify(header)}\n`);
      else if (first !== JSON.stringify(header)) throw notOurs(path);
      else await file.truncate(Buffer.byteLength(complete)); // of a line that a crash cut short, nothing stays
      const values = lines.filter((line) => line !== "").map((line) => readLine(line, path));
      return new EvaluationLog(new Map(values), file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The value of a plan: remembered, or found and written down. */
  async value(plan: object, find: () => Promise<number>): Promise<number> {
    const key = JSON.stringify(plan);
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = await find();
    this.#values.set(key, value);
    await this.#file?.appendFile(`${JSON.stringify({ plan, value })}\n`);
    return value;
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

function readLine(line: string, path: string): [string, number] {
  try {
    const { plan, value } = JSON.parse(line);
    if (isRecord(plan) && typeof value === "number") return [JSON.stringify(plan), value];
  } catch {
    // said below
  }
  throw notOurs(path);
}

function notOurs(path: string): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_INVALID_ARGUMENT",
    `${path} is not the log of this search: another model, other questions, stages, budget or seed. Use another file.`,
  );
}
