import type { Method } from "./method.js";
import { divPrune } from "./methods/div-prune.js";
import { h2o } from "./methods/h2o.js";
import { prefixKv } from "./methods/prefix-kv.js";
import { pyramidDrop } from "./methods/pyramid-drop.js";
import { random } from "./methods/random.js";
import { snapKv } from "./methods/snap-kv.js";
import { uniform } from "./methods/uniform.js";
import { vlCache } from "./methods/vl-cache.js";

/** Every method a plan can name; a new one is a file in methods/ and a line here. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [divPrune.name, divPrune],
  [h2o.name, h2o],
  [prefixKv.name, prefixKv],
  [pyramidDrop.name, pyramidDrop],
  [random.name, random],
  [snapKv.name, snapKv],
  [uniform.name, uniform],
  [vlCache.name, vlCache],
]);
