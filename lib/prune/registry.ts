import type { Method } from "./method.js";
import { cdPruner } from "./methods/cd-pruner.js";
import { cenPrune } from "./methods/cen-prune.js";
import { dart } from "./methods/dart.js";
import { divPrune } from "./methods/div-prune.js";
import { downscale } from "./methods/downscale.js";
import { fasterVlm } from "./methods/faster-vlm.js";
import { h2o } from "./methods/h2o.js";
import { mmTok } from "./methods/mm-tok.js";
import { pixelPrune } from "./methods/pixel-prune.js";
import { pool } from "./methods/pool.js";
import { prefixKv } from "./methods/prefix-kv.js";
import { pyramidDrop } from "./methods/pyramid-drop.js";
import { random } from "./methods/random.js";
import { scope } from "./methods/scope.js";
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
  [cdPruner.name, cdPruner],
  [cenPrune.name, cenPrune],
  [dart.name, dart],
  [divPrune.name, divPrune],
  [downscale.name, downscale],
  [fasterVlm.name, fasterVlm],
  [h2o.name, h2o],
  [mmTok.name, mmTok],
  [pixelPrune.name, pixelPrune],
  [pool.name, pool],
  [prefixKv.name, prefixKv],
  [pyramidDrop.name, pyramidDrop],
  [random.name, random],
  [scope.name, scope],
  [snapKv.name, snapKv],
  [toMe.name, toMe],
  [turbo.name, turbo],
  [uniform.name, uniform],
  [visionZip.name, visionZip],
  [visPruner.name, visPruner],
  [vlCache.name, vlCache],
  [zeroTPrune.name, zeroTPrune],
]);
