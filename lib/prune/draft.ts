import { isRecord } from "../is-record.js";
import type { DraftSearch, LoweredDraft } from "./plan.js";
import { planError } from "./plan-error.js";
import { readInt, readRecord, readShare } from "./read-field.js";
import { lowerSkipLayers } from "./skip-layers.js";
import { unknownName } from "./unknown-name.js";

const keys = ["skipLayers", "max", "stopProbability", "adapt", "search"] as const;
const searchKeys = ["skipRatio", "context", "stopScore", "patience", "proposals", "seed"] as const;
const skipKeys = ["part", "layers"] as const;

/** The bounds that native/prune/depth_plan.cc has too. */
const maxGuesses = 64;
const maxContext = 1024;
const maxProposals = 1_000_000;

/**
 * Checks the `draft` of a plan. Defaults: Draft & Verify's released greedy settings (8 guesses, 0.8, adapted) and
 * SWIFT's command line (ratio 0.45, 32 tokens, 0.95, 300 and 1000 proposals, odd layers to begin with).
 */
export function lowerDraft(value: unknown, nLayers: number): LoweredDraft {
  const { skipLayers, max, stopProbability, adapt, search } = readRecord(value, keys, "draft");
  if (adapt !== undefined && typeof adapt !== "boolean") throw planError("draft.adapt", adapt, "true or false");
  const hasSearch = search !== undefined || skipLayers === undefined;
  if (hasSearch && nLayers < 3) {
    throw planError("draft.search", search, "skipLayers for a model this small", "The first and the last layer run.");
  }
  return {
    skip: skipLayers === undefined ? oddLayers(nLayers) : readSkips(skipLayers, nLayers),
    max: readInt(max, 8, [1, maxGuesses], "draft.max"),
    stopProbability: readShare(stopProbability, 0.8, "draft.stopProbability"),
    adapt: adapt ?? true,
    ...(hasSearch && { search: readSearch(search ?? {}) }),
  };
}

/** As `skipLayers` of a plan, but for the phase: only decoding drafts. */
function readSkips(value: unknown, nLayers: number): LoweredDraft["skip"] {
  for (const [i, entry] of Array.isArray(value) ? value.entries() : []) {
    if (isRecord(entry) && "phase" in entry) throw unknownName(`draft.skipLayers[${i}]`, "phase", "one of", skipKeys);
  }
  return lowerSkipLayers(value, nLayers, "draft.skipLayers").map(({ layer, part }) => ({ layer, part }));
}

/** Where SWIFT begins. */
function oddLayers(nLayers: number): LoweredDraft["skip"] {
  const odd = Array.from({ length: nLayers - 1 }, (_, layer) => layer).filter((layer) => layer % 2 === 1);
  return odd.flatMap((layer) => [
    { layer, part: "attention" as const },
    { layer, part: "ffn" as const },
  ]);
}

function readSearch(value: unknown): Required<DraftSearch> {
  const search = readRecord(value, searchKeys, "draft.search");
  return {
    skipRatio: readShare(search.skipRatio, 0.45, "draft.search.skipRatio"),
    context: readInt(search.context, 32, [1, maxContext], "draft.search.context"),
    stopScore: readShare(search.stopScore, 0.95, "draft.search.stopScore"),
    patience: readInt(search.patience, 300, [1, maxProposals], "draft.search.patience"),
    proposals: readInt(search.proposals, 1000, [1, maxProposals], "draft.search.proposals"),
    seed: readInt(search.seed, 0, [0, Number.MAX_SAFE_INTEGER], "draft.search.seed"),
  };
}
