// Answers the requests of its argument with the kernels that FOVEA_ISA names; prints tier, texts and
// token ids. A second argument is the model's dtype.
import { loadModel } from "../../dist/index.js";

const dtype = /** @type {"auto" | "int8" | "int4"} */ (process.argv[3] ?? "auto");
const model = await loadModel("fovea-mini", { threads: 2, dtype });
const replies = [];
for (const request of JSON.parse(process.argv[2] ?? "[]")) {
  const { text, tokens } = await model.generate(request);
  replies.push({ text, ids: tokens.map((token) => token.id) });
}
console.log(JSON.stringify({ tier: model.info.tier, replies }));
await model.dispose();
