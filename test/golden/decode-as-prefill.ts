import { expect } from "vitest";
import type { Message, Model, ModelInputs } from "../../lib/index.js";

/** An answer of so many tokens is what one prefill of prompt and answer says comes next, row by row. */
export async function expectDecodedAsPrefilled(
  model: Model,
  messages: Message[],
  inputs: ModelInputs,
  tokens: number,
): Promise<void> {
  const answers: number[] = [];
  for await (const event of model.stream({ messages, maxTokens: tokens })) {
    if (event.type === "text-delta") answers.push(...event.tokens.map((token) => token.id));
  }
  expect(answers).toHaveLength(tokens);
  const ids = Int32Array.from([...inputs.input_ids.data, ...answers.slice(0, -1)]);
  const { logits } = await model.forward(
    { ...inputs, input_ids: { data: ids, shape: [1, ids.length] } },
    { logitsToKeep: answers.length },
  );
  const vocab = logits.shape[2] as number;
  const best = answers.map((_, row) => {
    const own = logits.data.subarray(row * vocab, (row + 1) * vocab);
    return own.indexOf(Math.max(...own));
  });
  expect(best).toEqual(answers);
}
