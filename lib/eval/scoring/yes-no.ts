/**
 * POPE's rule: the first sentence means no when one of its words is "No", "no" or "not", otherwise yes.
 * (`evaluate.py` of RUCAIBox/POPE, which LLaVA's `eval_pope.py` follows.)
 */
export function yesUnlessNo(reply: string): "yes" | "no" {
  const [sentence = ""] = reply.trim().split(".");
  const words = sentence.replaceAll(",", "").split(/\s+/);
  return words.some((word) => word === "No" || word === "no" || word === "not") ? "no" : "yes";
}

/**
 * MME's rule: "yes" or "no" within the first four characters, in any case; anything else is wrong.
 * (`calculation.py` of its `eval_tool`.)
 */
export function startsWithYesOrNo(reply: string): "yes" | "no" | "other" {
  const start = reply.trim().toLowerCase().slice(0, 4);
  if (start.includes("yes")) return "yes";
  return start.includes("no") ? "no" : "other";
}
