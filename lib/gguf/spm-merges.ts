/**
 * The merges of a SentencePiece model of BPE kind, which stores none: two pieces may merge where both halves are pieces,
 * those with the better score first. This is how transformers turns such models into a tokenizer.json.
 *
 * @param pieces ids of the pieces that merging may make, by text.
 * @param vocab ids of all tokens, by text.
 */
export function spmMerges(
  pieces: ReadonlyMap<string, number>,
  vocab: ReadonlyMap<string, number>,
  scores: readonly number[],
): [string, string][] {
  const merges: { left: string; right: string; score: number; leftLength: number; length: number }[] = [];
  for (const [piece, id] of pieces) {
    const letters = [...piece];
    const score = scores[id] as number;
    const halves: [left: string, right: string, leftLength: number][] = [];
    for (let i = 1, at = 0; i < letters.length; i++) {
      at += (letters[i - 1] as string).length;
      const [left, right] = [piece.slice(0, at), piece.slice(at)];
      if (vocab.has(left) && vocab.has(right)) halves.push([left, right, i]);
    }
    const idOf = (text: string) => vocab.get(text) as number;
    halves.sort((a, b) => idOf(a[0]) - idOf(b[0]) || idOf(a[1]) - idOf(b[1]));
    for (const [left, right, leftLength] of halves) {
      merges.push({ left, right, score, leftLength, length: letters.length });
    }
  }
  // The sort is stable: ties stay in the order of the vocabulary.
  merges.sort(
    (a, b) => b.score - a.score || b.leftLength - a.leftLength || b.length - b.leftLength - (a.length - a.leftLength),
  );
  return merges.map(({ left, right }) => [left, right]);
}
