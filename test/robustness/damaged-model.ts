// Copies of a tiny model with something wrong in them.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** A safetensors header as JSON. */
export type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

const scratch = mkdtempSync(join(tmpdir(), "fovea-damaged-"));
let copies = 0;

/**
 * A copy of a tiny checkpoint of random weights (test/golden/variants), changed by `damage`; removed after the tests of
 * the file.
 */
export function tinyModel(damage: (folder: string) => void = () => {}, from = "f32-untied-gqa4"): string {
  const folder = join(scratch, String(copies++));
  cpSync(fileURLToPath(new URL(`../golden/variants/${from}`, import.meta.url)), folder, { recursive: true });
  writeCharacterTokenizer(folder);
  damage(folder);
  return folder;
}

/** The checkpoints' own tokenizer knows words, which is not supported; this one knows letters. */
function writeCharacterTokenizer(folder: string): void {
  const path = join(folder, "tokenizer.json");
  const json = JSON.parse(readFileSync(path, "utf8"));
  const special = json.added_tokens.map((token: { content: string; id: number }) => [token.content, token.id]);
  const letters = [..." abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ?.!,012"].map((letter, i) => [
    letter,
    i + 4,
  ]);
  json.model = { type: "BPE", vocab: Object.fromEntries([...special, ...letters]), merges: [] };
  json.pre_tokenizer = null;
  json.decoder = { type: "Fuse" };
  writeFileSync(path, JSON.stringify(json));
}

/** Registers the removal of all copies. */
export function removeCopiesAfterwards(): void {
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
}

/** Changes a JSON file of a model folder. */
export function editJson<Json = Record<string, never>>(
  name: string,
  edit: (json: Json) => void,
): (folder: string) => void {
  return (folder) => {
    const path = join(folder, name);
    const json = JSON.parse(readFileSync(path, "utf8"));
    edit(json);
    writeFileSync(path, JSON.stringify(json));
  };
}

/** Replaces a file of a model folder. */
export function write(name: string, content: string | Buffer): (folder: string) => void {
  return (folder) => writeFileSync(join(folder, name), content);
}

/** Removes a file of a model folder. */
export function remove(name: string): (folder: string) => void {
  return (folder) => rmSync(join(folder, name));
}

/** Changes the bytes of model.safetensors. */
export function editBytes(edit: (bytes: Buffer, headerSize: number) => Buffer): (folder: string) => void {
  return (folder) => {
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    writeFileSync(path, edit(bytes, Number(bytes.readBigUInt64LE())));
  };
}

/** Changes header and data of model.safetensors and writes a header of the right size. */
export function editTensors(edit: (header: Header, data: Buffer) => void): (folder: string) => void {
  return editBytes((bytes, headerSize) => {
    const header = JSON.parse(bytes.subarray(8, 8 + headerSize).toString("utf8"));
    delete header.__metadata__;
    const data = bytes.subarray(8 + headerSize);
    edit(header, data);
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([size, text, data]);
  });
}
