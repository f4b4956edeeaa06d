import { describe, expect, it } from "vitest";
import { fakeInfo, runFake } from "./cli-fake-engine.js";

describe("fovea info", () => {
  it("shows the machine and the model", async () => {
    const ran = await runFake(["info", "--model", "m"]);
    expect(ran).toMatchObject({ code: 0, err: "", disposed: 1 });
    expect(ran.loads).toEqual([["m", {}]]);
    for (const text of [
      "fovea     1.2.3 on Node",
      "cpu       Test CPU, 2 cores",
      "features  avx2 fma",
      "tier      avx2 of scalar, avx2",
      "llava, 11.3 M parameters, bf16, 21.5 MiB of weights",
      "6 layers, width 256, 4 heads, 224 px in patches of 14: 256 rows per image",
      "8 layers, width 256, 4 heads and 2 KV heads of 64, FFN 704",
      "vocabulary 970, context of 2048 rows",
    ]) {
      expect(ran.out).toContain(text);
    }
  });

  it("--json: one object", async () => {
    const ran = await runFake(["info", "--json"]);
    expect(JSON.parse(ran.out)).toMatchObject({
      versions: { fovea: "1.2.3", node: process.versions.node },
      cpu: { tier: "avx2" },
      model: fakeInfo,
    });
  });

  it("--version", async () => {
    expect(await runFake(["--version"])).toMatchObject({ code: 0, out: "1.2.3\n" });
  });
});
