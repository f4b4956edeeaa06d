// Tests that need a process of their own run the modules of test/children on the compiled library in dist/.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of a module in test/children. */
export function childModule(name: string): string {
  const library = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
  if (!existsSync(library)) throw new Error(`${library} is missing: run \`npm run build:ts\` first`);
  return fileURLToPath(new URL(`../children/${name}`, import.meta.url));
}
