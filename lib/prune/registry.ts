import type { Method } from "./method.js";
import { divPrune } from "./methods/div-prune.js";
import { pyramidDrop } from "./methods/pyramid-drop.js";
import { random } from "./methods/random.js";
import { uniform } from "./methods/uniform.js";

/** Every method a plan can name; a new one is a file in methods/ and a line here. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [divPrune.name, divPrune],
  [pyramidDrop.name, pyramidDrop],
  [random.name, random],
  [uniform.name, uniform],
]);
