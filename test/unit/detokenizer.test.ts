import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Detokenizer } from "../../lib/text/detokenizer.js";
import { StopMatcher } from "../../lib/text/stop.js";
import { loadTokenizer, type Tokenizer } from "../../lib/text/tokenizer.js";

const folders = {
  "byte-level": fileURLToPath(new URL("../../model/fovea-mini", import.meta.url)),
  sentencepiece: fileURLToPath(new URL("../golden/text/sentencepiece", import.meta.url)),
};

/** Unicode of every kind, with spaces and joined emoji more often than chance would bring them. */
const unicodeText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(" ", "  ", "\n", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "é", "\ufeff", "\ufffd", "▁", "the", "<0xE2>"),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

function streamed(tokenizer: Tokenizer, ids: number[], skipSpecialTokens = true): string[] {
  const stream = new Detokenizer(tokenizer, { skipSpecialTokens });
  return [...ids.map((id) => stream.push(id)), stream.flush()];
}

describe.each(Object.entries(folders))("detokenizer: %s", (_, folder) => {
  it("pieces add up to the text, which survives the round trip", async () => {
    const tokenizer = await loadTokenizer(folder);
    fc.assert(
      fc.property(unicodeText, (text) => {
        const ids = tokenizer.encode(text, { addSpecialTokens: false });
        const decoded = tokenizer.decode(ids);
        expect(decoded).toBe(folder.includes("sentencepiece") ? text.replaceAll("▁", " ") : text);
        expect(streamed(tokenizer, ids).join("")).toBe(decoded);
      }),
      { numRuns: 500 },
    );
  });

  it("pieces add up for any ids, and none holds half a code point or guesses", async () => {
    const tokenizer = await loadTokenizer(folder);
    const anyIds = fc.array(fc.nat({ max: tokenizer.vocabSize - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(anyIds, fc.boolean(), (ids, skipSpecialTokens) => {
        const pieces = streamed(tokenizer, ids, skipSpecialTokens);
        const whole = tokenizer.decode(ids, { skipSpecialTokens });
        expect(pieces.join("")).toBe(whole);
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 500 },
    );
  });

  it("emits a code point with its last byte, not before", async () => {
    const tokenizer = await loadTokenizer(folder);
    const ids = tokenizer.encode("🦉", { addSpecialTokens: false });
    const pieces = streamed(tokenizer, ids);
    expect(ids.length).toBeGreaterThan(3);
    expect(pieces.slice(0, -2).join("")).toBe("");
    expect(pieces.slice(-2)).toEqual(["🦉", ""]);
    expect(streamed(tokenizer, ids.slice(0, -1)).at(-1)).toBe("\ufffd");
  });
});

describe("leading spaces of sentencepiece", () => {
  it("with a Metaspace decoder belong to the first token alone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fovea-metaspace-"));
    try {
      const json = JSON.parse(await readFile(join(folders.sentencepiece, "tokenizer.json"), "utf8"));
      json.decoder = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: true };
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));
      const tokenizer = await loadTokenizer(folder);
      const ids = tokenizer.encode(" the the", { addSpecialTokens: false });
      const pieces = ids.map((id) => tokenizer.tokenOf(id));
      const expected =
        (pieces[0] as string).replaceAll("\u2581", "") + pieces.slice(1).join("").replaceAll("\u2581", " ");
      expect(expected.endsWith(" the")).toBe(true);
      expect(tokenizer.decode(ids)).toBe(expected);
      expect(streamed(tokenizer, ids).join("")).toBe(expected);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("strips the mark of the first word only", async () => {
    const tokenizer = await loadTokenizer(folders.sentencepiece);
    const ids = tokenizer.encode("the the", { addSpecialTokens: false });
    expect(streamed(tokenizer, ids).join("")).toBe("the the");
    expect(streamed(tokenizer, [1, ...ids]).join("")).toBe("the the");
  });
});

describe("stop strings", () => {
  /** Reference: the stop string that is complete first, found by growing the text letter by letter. */
  function reference(text: string, stops: string[]): string {
    for (let end = 1; end <= text.length; end++) {
      const matches = stops.filter((stop) => stop !== "" && text.slice(0, end).endsWith(stop));
      const longest = Math.max(...matches.map((stop) => stop.length));
      if (matches.length > 0) return text.slice(0, end - longest);
    }
    return text;
  }

  function run(pieces: string[], stops: string[]): { text: string; stopped: string | undefined } {
    const matcher = new StopMatcher(stops);
    let text = "";
    for (const piece of pieces) {
      const result = matcher.push(piece);
      text += result.text;
      if (result.stopped !== undefined) return { text, stopped: result.stopped };
    }
    return { text: text + matcher.flush(), stopped: undefined };
  }

  const fewLetters = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength });

  it("end the text at the same place however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fewLetters(5), { maxLength: 8 }),
        fc.array(fewLetters(4), { maxLength: 3 }),
        (pieces, stops) => {
          const expected = reference(pieces.join(""), stops);
          expect(run(pieces, stops).text).toBe(expected);
          expect(run([...pieces.join("")], stops)).toEqual(run([pieces.join("")], stops));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("are never shown in part", () => {
    const matcher = new StopMatcher(["</end>"]);
    expect(matcher.push("x <")).toEqual({ text: "x " });
    expect(matcher.push("/en")).toEqual({ text: "" });
    expect(matcher.push("g")).toEqual({ text: "</eng" });
    expect(matcher.push("</end> y")).toEqual({ text: "", stopped: "</end>" });
  });

  it("that never came are given back at the end", () => {
    const matcher = new StopMatcher(["STOP"]);
    expect(matcher.push("no STO")).toEqual({ text: "no " });
    expect(matcher.flush()).toBe("STO");
  });
});
