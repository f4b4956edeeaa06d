// Answers the requests of its argument with the kernels that FOVEA_ISA names; prints tier, texts and token ids.
import { loadModel } from "../../dist/index.js";

const model = await loadModel("fovea-mini", { threads: 2 });
const replies = [];
for (const request of JSON.parse(process.argv[2] ?? "[]")) {
  const { text, tokens } = await model.generate(request);
  replies.push({ text, ids: tokens.map((token) => token.id) });
}
console.log(JSON.stringify({ tier: model.info.tier, replies }));
await model.dispose();
