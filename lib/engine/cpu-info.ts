import type { CpuInfo } from "../native/binding.js";
import { EventHub } from "./event-hub.js";
import { wrapError } from "./wrap-error.js";

/**
 * What this CPU offers and which kernels Fovea takes.
 *
 * @throws FoveaError ERR_FOVEA_ISA if FOVEA_ISA asks for what the CPU lacks.
 */
export function cpuInfo(): CpuInfo {
  try {
    return EventHub.get().binding.cpuInfo();
  } catch (error) {
    throw wrapError(error);
  }
}
