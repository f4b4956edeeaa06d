const small =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/** A whole number below a million in English words, as the Python package num2words writes it. */
export function numberWords(value: number): string {
  if (value < 20) return small[value] as string;
  const rest = value % 10;
  if (value < 100) return `${tens[Math.floor(value / 10)]}${rest > 0 ? `-${small[rest]}` : ""}`;
  if (value < 1000) {
    const below = value % 100;
    return `${small[Math.floor(value / 100)]} hundred${below > 0 ? ` and ${numberWords(below)}` : ""}`;
  }
  const below = value % 1000;
  const joint = below === 0 ? "" : below < 100 ? " and " : ", ";
  return `${numberWords(Math.floor(value / 1000))} thousand${joint}${below > 0 ? numberWords(below) : ""}`;
}
