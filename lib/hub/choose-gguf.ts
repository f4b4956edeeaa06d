import { isLaterPart, partsOf } from "./gguf-parts.js";

/** Whether a file's name is that of a vision tower and projector. */
export function isMmproj(name: string): boolean {
  return /mmproj/i.test(name);
}

/** Towers lose little as f16; the others in the order of what they lose, and then of their size. */
const mmprojOrder = ["f16", "bf16", "f32", "q8_0"];

/**
 * The files among these that a variant such as "Q4_K_M" names: the decoder with this word in its name, all its parts
 * where it is in several, and an mmproj. Null if there is no decoder, or more than one, or not all of it, or no mmproj.
 */
export function chooseGguf(
  names: readonly string[],
  variant: string,
): { decoder: string; parts: string[]; mmproj: string } | null {
  const all = names.filter((name) => name.endsWith(".gguf") && !isLaterPart(name)).sort();
  const [decoder, another] = all.filter((name) => !isMmproj(name) && hasWord(name, variant));
  const mmprojs = all.filter(isMmproj);
  const liked = mmprojOrder.flatMap((word) => mmprojs.filter((name) => hasWord(name, word)));
  const mmproj = liked[0] ?? mmprojs[0];
  if (decoder === undefined || another !== undefined || mmproj === undefined) return null;
  const parts = partsOf(decoder);
  return parts.every((part) => names.includes(part)) ? { decoder, parts, mmproj } : null;
}

/** Words of a file's name stand between "-" and "."; they hold "_". */
function hasWord(name: string, word: string): boolean {
  return name.toLowerCase().split(/[-.]/).includes(word.toLowerCase());
}
