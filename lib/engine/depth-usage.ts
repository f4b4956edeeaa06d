import type { NativeDraftReport } from "../native/binding.js";
import type { LoweredPlan } from "../prune/plan.js";
import type { DraftUsage, ExitUsage } from "./reply.js";

/** What drafting did, from what the engine counted. */
export function draftUsage({ proposals, score, ...counts }: NativeDraftReport, plan: LoweredPlan): DraftUsage {
  return {
    ...counts,
    acceptance: counts.drafted === 0 ? 0 : counts.accepted / counts.drafted,
    ...(plan.draft?.search && { search: { proposals, score } }),
  };
}

/** Where tokens stopped, from how many stopped after each layer. */
export function exitUsage(tokens: number[]): ExitUsage {
  const total = tokens.reduce((sum, n) => sum + n, 0);
  const layers = tokens.reduce((sum, n, layer) => sum + n * layer, 0);
  return { tokens, meanLayer: total === 0 ? tokens.length - 1 : layers / total };
}
