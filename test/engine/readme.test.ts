import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

it("README's library example runs as it stands", async () => {
  const code = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";
  expect(code).toContain('from "fovea"');
  const runnable = code
    .replace('from "fovea"', `from "${pathToFileURL(join(root, "dist", "index.js"))}"`)
    .replace('"scene.png"', JSON.stringify(join(root, "model", "examples", "scene.png")));
  const folder = mkdtempSync(join(tmpdir(), "fovea-readme-"));
  try {
    const file = join(folder, "example.mjs");
    writeFileSync(file, `${runnable}\nconsole.log("LOGITS", logits.shape);`);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root });
    expect(stdout).toContain("divPrune [ { rowsIn: 256, rowsOut: 128 } ]");
    expect(stdout).toMatch(/LOGITS \[ 1, \d+, 970 \]/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("README's commands exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] as string);
  expect(named).toContain("demo");
  for (const name of named) expect(scripts, name).toHaveProperty([name]);
});
