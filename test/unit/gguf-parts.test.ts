import { describe, expect, it } from "vitest";
import { chooseGguf } from "../../lib/hub/choose-gguf.js";
import { isLaterPart, partsOf } from "../../lib/hub/gguf-parts.js";

describe("GGUF models in parts", () => {
  const parts = [1, 2, 3].map((no) => `m-Q4_K_M-0000${no}-of-00003.gguf`);

  it("are named by their first", () => {
    expect(partsOf(parts[0] as string)).toEqual(parts);
    expect(partsOf("m-Q4_K_M.gguf")).toEqual(["m-Q4_K_M.gguf"]);
    expect([...parts, "m.gguf", "mmproj-m.gguf"].filter(isLaterPart)).toEqual(parts.slice(1));
  });

  it("are chosen together, or not at all", () => {
    const others = ["mmproj-m-f16.gguf", "m-Q8_0.gguf"];
    expect(chooseGguf([...parts, ...others], "Q4_K_M")).toEqual({ decoder: parts[0], parts, mmproj: others[0] });
    expect(chooseGguf([...parts.slice(0, 2), ...others], "Q4_K_M")).toBeNull();
  });
});
