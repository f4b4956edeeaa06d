import type { Method } from "./method.js";
import { divPrune } from "./methods/div-prune.js";
import { downscale } from "./methods/downscale.js";
import { fasterVlm } from "./methods/faster-vlm.js";
import { h2o } from "./methods/h2o.js";
import { pixelPrune } from "./methods/pixel-prune.js";
import { pool } from "./methods/pool.js";
import { prefixKv } from "./methods/prefix-kv.js";
import { pyramidDrop } from "./methods/pyramid-drop.js";
import { random } from "./methods/random.js";
import { snapKv } from "./methods/snap-kv.js";
import { toMe } from "./methods/to-me.js";
import { turbo } from "./methods/turbo.js";
import { uniform } from "./methods/uniform.js";
import { visPruner } from "./methods/vis-pruner.js";
import { visionZip } from "./methods/vision-zip.js";
import { vlCache } from "./methods/vl-cache.js";
import { zeroTPrune } from "./methods/zero-t-prune.js";

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
  [fasterVlm.name, fasterVlm],
  [visPruner.name, visPruner],
  [visionZip.name, visionZip],
  [toMe.name, toMe],
  [turbo.name, turbo],
  [pool.name, pool],
  [downscale.name, downscale],
  [pixelPrune.name, pixelPrune],
  [zeroTPrune.name, zeroTPrune],
]);
