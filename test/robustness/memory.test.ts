import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { childModule } from "../engine/run-child.js";
import { isSanitized } from "../engine/sanitized.js";

const MB = 1_000_000;

/** Bytes by which resident memory grows per round; the process is a fresh one, so that nothing else moves it. */
async function growth(kind: "aborts" | "loads", rounds: number) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    childModule("memory.mjs"),
    kind,
    String(rounds),
  ]);
  return JSON.parse(stdout) as { growth: number; aborted: number; memory: number[] };
}

describe.skipIf(isSanitized)("resident memory stays flat over", () => {
  // One leaked session per ten aborts, with its cache of 3.5 MB, would be 0.2 MB per round.
  it("200 aborted generations", { timeout: 180_000 }, async () => {
    const measured = await growth("aborts", 200);
    expect(measured.aborted).toBeGreaterThan(100);
    expect(measured.growth, JSON.stringify(measured.memory)).toBeLessThan(0.09 * MB);
  });

  // One leaked model of 22 MB per ten rounds would be 2.2 MB per round. The allocators' pools take some fifty rounds to
  // fill.
  it("100 rounds of loading and disposing", { timeout: 180_000 }, async () => {
    const measured = await growth("loads", 100);
    expect(measured.growth, JSON.stringify(measured.memory)).toBeLessThan(1 * MB);
  });
});
