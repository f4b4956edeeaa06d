/**
 * The letter that a reply chooses, or undefined when that is not clear: the one letter of the options that stands
 * alone among its last five words; without any, the one option whose text the reply holds. This is what VLMEvalKit
 * does for MMBench before it would ask another model (`matching_util.py`).
 */
export function chosenOption(reply: string, options: Record<string, string>): string | undefined {
  const words = reply
    .replace(/[.()[\],:;!*#{}]/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "");
  const letters = Object.keys(options).filter((letter) => words.includes(letter));
  const [letter] = letters;
  if (letters.length > 1) return undefined;
  if (letter !== undefined) return words.indexOf(letter) > words.length - 6 ? letter : undefined;
  return quotedOption(reply.toLowerCase(), options);
}

function quotedOption(reply: string, options: Record<string, string>): string | undefined {
  const texts = Object.values(options);
  if (reply.length > 2 * texts.reduce((sum, text) => sum + text.length, 0)) return undefined;
  const [quoted, another] = Object.entries(options).filter(
    ([, text]) => text !== "" && reply.includes(text.toLowerCase()),
  );
  return another === undefined ? quoted?.[0] : undefined;
}
