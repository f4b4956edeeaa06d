import type { Method } from "./method.js";
import { atp } from "./methods/atp.js";
import { attentionExit } from "./methods/attention-exit.js";
import { cdPruner } from "./methods/cd-pruner.js";
import { cenPrune } from "./methods/cen-prune.js";
import { compressText } from "./methods/compress-text.js";
import { custom } from "./methods/custom.js";
import { dart } from "./methods/dart.js";
import { divPrune } from "./methods/div-prune.js";
import { downscale } from "./methods/downscale.js";
import { dyVte } from "./methods/dy-vte.js";
import { eadp } from "./methods/eadp.js";
import { fastV } from "./methods/fast-v.js";
import { fasterVlm } from "./methods/faster-vlm.js";
import { feather } from "./methods/feather.js";
import { h2o } from "./methods/h2o.js";
import { hiRed } from "./methods/hi-red.js";
import { holoV } from "./methods/holo-v.js";
import { mmTok } from "./methods/mm-tok.js";
import { pMod } from "./methods/p-mod.js";
import { pixelPrune } from "./methods/pixel-prune.js";
import { pool } from "./methods/pool.js";
import { prefixKv } from "./methods/prefix-kv.js";
import { pruMerge } from "./methods/pru-merge.js";
import { pyramidDrop } from "./methods/pyramid-drop.js";
import { random } from "./methods/random.js";
import { scope } from "./methods/scope.js";
import { snapKv } from "./methods/snap-kv.js";
import { sparseVlm } from "./methods/sparse-vlm.js";
import { toMe } from "./methods/to-me.js";
import { turbo } from "./methods/turbo.js";
import { turboText } from "./methods/turbo-text.js";
import { uniform } from "./methods/uniform.js";
import { vFlowOpt } from "./methods/v-flow-opt.js";
import { vScan2 } from "./methods/v-scan-2.js";
import { v2Drop } from "./methods/v2-drop.js";
import { visPruner } from "./methods/vis-pruner.js";
import { visionZip } from "./methods/vision-zip.js";
import { vlCache } from "./methods/vl-cache.js";
import { vtw } from "./methods/vtw.js";
import { zeroTPrune } from "./methods/zero-t-prune.js";

/** Every method a plan can name; a new one is a file in methods/ and a line here. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [cdPruner.name, cdPruner],
  [cenPrune.name, cenPrune],
  [custom.name, custom],
  [dart.name, dart],
  [divPrune.name, divPrune],
  [downscale.name, downscale],
  [eadp.name, eadp],
  [fasterVlm.name, fasterVlm],
  [h2o.name, h2o],
  [hiRed.name, hiRed],
  [holoV.name, holoV],
  [mmTok.name, mmTok],
  [pixelPrune.name, pixelPrune],
  [pool.name, pool],
  [prefixKv.name, prefixKv],
  [pruMerge.name, pruMerge],
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
  [atp.name, atp],
  [attentionExit.name, attentionExit],
  [compressText.name, compressText],
  [dyVte.name, dyVte],
  [fastV.name, fastV],
  [feather.name, feather],
  [pMod.name, pMod],
  [sparseVlm.name, sparseVlm],
  [turboText.name, turboText],
  [v2Drop.name, v2Drop],
  [vFlowOpt.name, vFlowOpt],
  [vScan2.name, vScan2],
  [vtw.name, vtw],
]);
