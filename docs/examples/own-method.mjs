// A pruning method of one's own: keep the rows that differ most from the mean row of their image.
import { loadModel } from "fovea";

/** A score per row: its squared distance from the mean row. */
function distinctness({ rows, width, places }) {
  const mean = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) mean[i % width] += rows[i] / places.length;
  const scores = new Float64Array(places.length);
  for (let i = 0; i < rows.length; i++) scores[Math.floor(i / width)] += (rows[i] - mean[i % width]) ** 2;
  return scores;
}

const model = await loadModel("fovea-mini");
const { text, usage } = await model.generate({
  messages: [{ role: "user", content: process.argv[3] ?? "What objects are in the image?" }],
  images: [process.argv[2] ?? "model/examples/scene.png"],
  plan: { stages: [{ method: "custom", use: "distinctness", keep: 0.25 }] },
  custom: { distinctness },
});
console.log(text, usage.stages);
await model.dispose();
