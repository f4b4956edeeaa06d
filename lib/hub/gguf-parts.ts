// GGUF models in several files, named as llama.cpp's gguf-split does: name-00001-of-00003.gguf. The first has the metadata.
const ending = /-(\d{5})-of-(\d{5})\.gguf$/;

/** Whether a file is a part of a model, but not the first. */
export function isLaterPart(name: string): boolean {
  const [, no] = ending.exec(name) ?? [];
  return no !== undefined && Number(no) !== 1;
}

/** The names of all parts of a model whose first file this is; itself where it is in one. */
export function partsOf(name: string): string[] {
  const [, no, of = ""] = ending.exec(name) ?? [];
  if (no === undefined) return [name];
  const part = (i: number) => `-${`${i + 1}`.padStart(5, "0")}-of-${of}.gguf`;
  return Array.from({ length: Math.max(1, Number(of)) }, (_, i) => name.replace(ending, part(i)));
}
