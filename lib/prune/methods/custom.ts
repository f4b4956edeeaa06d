import { type KeepOptions, keepBudget, keepOptions } from "../keep-budget.js";
import type { Method } from "../method.js";
import { planError } from "../plan-error.js";
import { stageHook, stageLayer } from "../stage-hook.js";

/** Options of `custom`. */
export interface CustomOptions extends KeepOptions {
  /** The function that chooses, by its name in the request's `custom`. */
  use?: string;
  /** Decoder layer that drops rows. */
  layer?: number;
}

/** Rows that a function of yours chooses. */
export const custom: Method<CustomOptions> = {
  name: "custom",
  doc:
    "Asks a function of yours, given with the request as custom: { name: function }. With keep or count it scores rows " +
    "and the highest stay; without, it returns the rows that stay.",
  options: {
    use: { kind: "name", description: "name of the function" },
    ...keepOptions,
    layer: stageLayer,
  },
  lower: ({ use, layer, ...amount }, _facts, where) => {
    if (use === undefined) throw planError(`${where}.use`, use, "the name of a function given as custom: { name: … }");
    if (amount.keep !== undefined && amount.count !== undefined) {
      throw planError(where, ["keep", "count"], "only one of them");
    }
    const isChosen = amount.keep === undefined && amount.count === undefined;
    return [
      {
        name: `custom ${use}`,
        ...stageHook(layer),
        steps: [
          ...(isChosen
            ? [{ do: "select", by: "custom", use, to: "kept" } as const]
            : ([
                { do: "score", by: "custom", use, to: "scores" },
                { do: "select", by: "topK", score: "scores", keep: keepBudget(amount), to: "kept" },
              ] as const)),
          { do: "gather", rows: "kept" },
        ],
      },
    ];
  },
};
