// @ts-check
// Every native/**/*.{cc,cu} is listed exactly once in native/sources.gypi, and every listed file exists.
import { readdirSync, readFileSync } from "node:fs";

/** @type {{variables: Record<string, string[]>}} */
const manifest = JSON.parse(readFileSync("native/sources.gypi", "utf8"));
const listed = Object.entries(manifest.variables)
  .filter(([name]) => name.endsWith("_sources"))
  .flatMap(([, files]) => files);
const present = readdirSync("native", { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(cc|cu)$/.test(path))
  .map((path) => `native/${path.replaceAll("\\", "/")}`);

const problems = [
  ...present.filter((file) => !listed.includes(file)).map((file) => `${file} is not listed`),
  ...listed.filter((file) => !present.includes(file)).map((file) => `${file} is listed but does not exist`),
  ...listed.filter((file, i) => listed.indexOf(file) < i).map((file) => `${file} is listed twice`),
];
for (const problem of problems) console.error(`native/sources.gypi: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(`native/sources.gypi lists all ${present.length} sources once`);
