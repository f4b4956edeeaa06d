// @ts-check
// Builds the addon and puts it into prebuilds/, where a published package carries it.
import { createRequire } from "node:module";
import { gypEnv, nodeGyp, run } from "./tools.mjs";

const prebuildify = createRequire(import.meta.url).resolve("prebuildify/bin.js");
const libc = process.platform === "linux" ? ["--tag-libc"] : [];
run(process.execPath, [prebuildify, "--napi", "--strip", "--name", "fovea", ...libc], gypEnv());
// It moves the addon away; put one back where the checkout looks for it.
run(process.execPath, [nodeGyp(), "build", "--loglevel", "warn"], gypEnv());
