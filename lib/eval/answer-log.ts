import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { FoveaError } from "../errors.js";
import { type Answer, isAnswer } from "./answer.js";
import { readText } from "./read-text.js";

/** What answers depend on; the first line of their file. */
export type LogHeader = Record<string, unknown>;

/**
 * The answers of one cell, in memory and, when opened, in a file: a header, then one answer a line, written as they
 * come, so that an interrupted run loses no more than what was being asked.
 */
export class AnswerLog {
  /** By the question's id; at first those of an earlier run. */
  readonly answers: Map<string, Answer>;
  readonly #file: FileHandle | undefined;
  #written: Promise<unknown> = Promise.resolve();

  constructor(answers = new Map<string, Answer>(), file?: FileHandle) {
    this.answers = answers;
    this.#file = file;
  }

  /**
   * Opens the file of a cell in `folder`, or begins it.
   *
   * @param resume - take up the answers that are there; without it a file that exists is refused.
   * @throws FoveaError ERR_FOVEA_INVALID_ARGUMENT when the file was made from other questions, another plan or model.
   */
  static async open(folder: string, name: string, header: LogHeader, resume: boolean): Promise<AnswerLog> {
    const path = join(folder, `${fileName(name)}.jsonl`);
    const file = await openLog(folder, path, resume);
    try {
      const { lines, bytes } = completeLines((await file.stat()).size === 0 ? "" : await readText(path));
      const [first, ...rest] = lines;
      if (first === undefined) {
        await file.truncate(0);
        await file.appendFile(`${JSON.stringify(header)}\n`);
      } else {
        checkHeader(first, header, path);
        await file.truncate(bytes); // of a line that a crash cut short, nothing stays
      }
      return new AnswerLog(new Map(rest.map((line, i) => readAnswer(line, `${path}, line ${i + 2}`))), file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Writes an answer behind those before it. */
  async add(answer: Answer): Promise<void> {
    this.answers.set(answer.id, answer);
    this.#written = this.#written.then(() => this.#file?.appendFile(`${JSON.stringify(answer)}\n`));
    await this.#written;
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#written.finally(() => this.#file?.close());
  }
}

const maxName = 120; // with its ending within what any file system takes

/** The name of a cell as a file's: letters, digits, points and dashes. */
export function fileName(cell: string): string {
  const name = cell.replace(/[^a-z0-9.]+/gi, "-").slice(0, maxName);
  return name.replace(/^[-.]+|[-.]+$/g, "") || "cell";
}

async function openLog(folder: string, path: string, resume: boolean): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true });
    return await open(path, resume ? "a" : "ax");
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    const isThere = code === "EEXIST" && syscall === "open";
    const problem = isThere
      ? `${path} holds answers of an earlier run. Resume it, or name another folder.`
      : `Cannot write ${path}: ${(cause as Error).message}.`;
    throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", problem, { cause });
  }
}

/** The lines that end with a line break, and their bytes. */
function completeLines(text: string): { lines: string[]; bytes: number } {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return { lines: whole.split("\n").slice(0, -1), bytes: Buffer.byteLength(whole) };
}

function checkHeader(line: string, header: LogHeader, path: string): void {
  const before = parse(line) as LogHeader | null | undefined;
  const changed = Object.keys(header).filter((key) => JSON.stringify(header[key]) !== JSON.stringify(before?.[key]));
  if (changed.length === 0) return;
  throw new FoveaError(
    "ERR_FOVEA_INVALID_ARGUMENT",
    `${path} cannot be resumed: ${changed.join(", ")} changed since it was begun. Name another folder.`,
  );
}

function readAnswer(line: string, where: string): [string, Answer] {
  const answer = parse(line);
  if (isAnswer(answer)) return [answer.id, answer];
  throw new FoveaError("ERR_FOVEA_INVALID_ARGUMENT", `${where} is damaged: it is no answer. Name another folder.`);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
