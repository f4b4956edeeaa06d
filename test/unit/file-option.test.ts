import { resolve } from "node:path";
import { expect, it } from "vitest";
import { parsePruneSpec } from "../../lib/prune/parse-prune-spec.js";
import { lowerPlan } from "../../lib/prune/validate-plan.js";
import { planFacts } from "./plan-facts.js";

it("a file in the short form is a path from the working directory", () => {
  const stages = parsePruneSpec("dyVte:gates=weights/gates.safetensors");
  expect(stages).toEqual([{ method: "dyVte", gates: "weights/gates.safetensors" }]);
  const [stage] = lowerPlan({ stages }, planFacts()).stages;
  expect(stage?.steps[0]).toMatchObject({ file: resolve("weights/gates.safetensors") });
});
