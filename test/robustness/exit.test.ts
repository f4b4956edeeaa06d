import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { childModule } from "../engine/run-child.js";

async function run(way: string) {
  const child = spawn(process.execPath, [childModule("exit.mjs"), way], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
  });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, output };
}

describe("a process ends as it should", () => {
  it.each([
    ["idle", "by itself after an answer, without dispose()", 0, /^answered 3\n$/],
    ["unread", "by itself once an answer that nobody reads is complete", 0, /^$/],
    ["process-exit", "by process.exit() in the middle of an answer", 3, /^$/],
    ["in-prefill", "by process.exit() in the middle of a forward pass", 3, /^$/],
    ["before-load-ends", "by process.exit() while a model loads", 3, /^$/],
    ["while-disposing", "by process.exit() right after dispose()", 3, /^$/],
    ["workers-loading", "by itself after workers were terminated at every moment of loading", 0, /^survived\n$/],
    ["in-worker", "by process.exit() while a worker is in the middle of an answer", 3, /^$/],
    ["uncaught", "by an uncaught error in the middle of an answer", 1, /uncaught on purpose/],
  ])("%s: %s", async (way, _, code, output) => {
    const ended = await run(way);
    expect(ended).toMatchObject({ code, signal: null });
    expect(ended.output).toMatch(output);
  });
});
