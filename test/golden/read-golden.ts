import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Numbers with their shape, as the public API takes and returns them. */
export interface GoldenTensor<T extends GoldenArray = Float32Array> {
  data: T;
  shape: number[];
}

type GoldenArray = Float32Array | Int32Array | Uint8Array;

interface TensorEntry {
  dtype: "f32" | "f16" | "u8" | "i32";
  shape: number[];
  offset: number;
}

/** One recording: its index, and its tensors by name. */
export interface Golden<Meta> {
  meta: Meta;
  /** f32, or f16 widened to f32. */
  floats(name: string): GoldenTensor<Float32Array>;
  ints(name: string): GoldenTensor<Int32Array>;
  bytes(name: string): GoldenTensor<Uint8Array>;
}

/** Reads `<name>.json` and `<name>.bin` below test/golden, as test/golden/record/common.py writes them. */
export function readGolden<Meta>(name: string): Golden<Meta> {
  const base = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const meta = JSON.parse(readFileSync(`${base}.json`, "utf8")) as Meta & { tensors: Record<string, TensorEntry> };
  const file = readFileSync(`${base}.bin`);

  /** A copy, so that every view starts aligned. */
  function slice(tensor: string, dtypes: string[], bytesEach: number): { shape: number[]; buffer: ArrayBuffer } {
    const entry = meta.tensors[tensor];
    if (!entry || !dtypes.includes(entry.dtype)) {
      throw new Error(`${name}.json has no tensor ${tensor} of type ${dtypes.join(" or ")}`);
    }
    const length = entry.shape.reduce((a, b) => a * b, 1) * bytesEach;
    const begin = file.byteOffset + entry.offset;
    return { shape: entry.shape, buffer: file.buffer.slice(begin, begin + length) as ArrayBuffer };
  }

  return {
    meta,
    floats(tensor) {
      if (meta.tensors[tensor]?.dtype === "f16") {
        const { shape, buffer } = slice(tensor, ["f16"], 2);
        return { shape, data: Float32Array.from(new Uint16Array(buffer), widen) };
      }
      const { shape, buffer } = slice(tensor, ["f32"], 4);
      return { shape, data: new Float32Array(buffer) };
    },
    ints(tensor) {
      const { shape, buffer } = slice(tensor, ["i32"], 4);
      return { shape, data: new Int32Array(buffer) };
    },
    bytes(tensor) {
      const { shape, buffer } = slice(tensor, ["u8"], 1);
      return { shape, data: new Uint8Array(buffer) };
    },
  };
}

/** The value of a half-precision float given by its bits; recordings hold finite values only. */
function widen(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
