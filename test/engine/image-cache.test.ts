import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, type Model, type Plan } from "../../lib/index.js";
import { embeddedModel } from "../golden/eval-pictures.js";

const scene = "model/examples/scene.png";
const cars = "model/examples/cars.png";

/** Asks about pictures; returns what of the reply does not depend on the clock. */
async function ask(model: Model, question: string, images: string[], plan: Plan = {}, cache?: boolean) {
  const options = cache === undefined ? {} : { cache };
  const { text, usage, timings } = await model.generate({
    messages: [{ role: "user", content: question }],
    images,
    plan,
    keepLists: true,
    maxTokens: 12,
    logprobs: 1,
    ...options,
  });
  return { text, usage, encode: timings.encode };
}

describe("images are encoded once", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(embeddedModel);
  });
  afterAll(() => model.dispose());

  it("the next question about a picture finds its rows, and the answer is the same", async () => {
    const fresh = await ask(model, "How many dogs are there?", [scene], {}, false);
    expect(fresh.usage.cachedImages).toBe(0);
    const first = await ask(model, "What color is the background?", [scene]);
    expect(first.usage.cachedImages).toBe(0);
    const second = await ask(model, "How many dogs are there?", [scene]);
    expect(second.usage.cachedImages).toBe(1);
    expect({ ...second.usage, cachedImages: 0, cachedRows: 0 }).toEqual(fresh.usage);
    expect(second.text).toBe(fresh.text);
  });

  it("pictures are told apart, also within one prompt", async () => {
    await ask(model, "How many objects are there?", [cars]);
    const both = await ask(model, "How many objects are there?", [scene, cars, "model/examples/mushrooms.png"]);
    expect(both.usage.cachedImages).toBe(2);
    const fresh = await ask(
      model,
      "How many objects are there?",
      [scene, cars, "model/examples/mushrooms.png"],
      {},
      false,
    );
    expect(both.text).toBe(fresh.text);
  });

  it("plans that act behind the tower share the rows", async () => {
    const plan = { stages: [{ method: "divPrune", keep: 0.3 }] };
    const cached = await ask(model, "How many dogs are there?", [scene], plan);
    expect(cached.usage.cachedImages).toBe(1);
    const fresh = await ask(model, "How many dogs are there?", [scene], plan, false);
    expect(fresh.usage).toEqual({ ...cached.usage, cachedImages: 0, cachedRows: 0 });
  });
});

it("a model without a cache encodes every time", async () => {
  const model = await loadModel(embeddedModel, { imageCacheBytes: 0 });
  await ask(model, "How many dogs are there?", [scene]);
  expect((await ask(model, "How many dogs are there?", [scene])).usage.cachedImages).toBe(0);
  await model.dispose();
});
