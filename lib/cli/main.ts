#!/usr/bin/env node
import { readFileSync } from "node:fs";
import pc from "picocolors";
import { cpuInfo, loadModel, pullModel } from "../index.js";
import { runCli } from "./program.js";
import { withPullLine } from "./pull-progress.js";

const packageJson = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const interrupted = new AbortController();
// Once: a second Ctrl-C finds no listener and ends the process at once.
process.once("SIGINT", () => interrupted.abort());
// The reader of a pipe went away: there is nobody left to answer.
process.stdout.on("error", () => interrupted.abort());

const context = {
  out: process.stdout,
  err: process.stderr,
  colours: pc.createColors(pc.isColorSupported && process.stderr.isTTY),
  signal: interrupted.signal,
  version: packageJson.version,
  isDebug: Boolean(process.env.FOVEA_DEBUG),
};
const engine = withPullLine({ loadModel, pullModel, cpuInfo }, context);
process.exitCode = await runCli(process.argv.slice(2), { engine, ...context });
