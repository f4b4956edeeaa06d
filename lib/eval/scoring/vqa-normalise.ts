const marks = [...';/[]"{}()=+\\_-><@`,?!'];
const articles = new Set(["a", "an", "the"]);
const numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const digits = new Map([["none", "0"], ...numbers.map((word, i) => [word, String(i)] as const)]);

/** Short forms whose apostrophes may be missing in an answer. */
const contractions = (
  "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've " +
  "he's how'd how'll how's i'm i've isn't it'd it'd've it'll let's ma'am mightn't mightn't've might've mustn't must've " +
  "needn't not've o'clock oughtn't shan't she'd've she's should've shouldn't shouldn't've somebody'll somebody's " +
  "someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've " +
  "there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's " +
  "what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've " +
  "wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
).split(" ");

/** Every spelling of a short form with apostrophes left out, and the form. */
const spellings = new Map(contractions.flatMap((form) => spellingsOf(form).map((spelling) => [spelling, form])));

/**
 * An answer as VQA's evaluation compares it: lower case, no punctuation (but apostrophes, colons and decimal points),
 * no articles, numbers up to ten as digits, short forms with their apostrophes.
 */
export function vqaNormalise(answer: string): string {
  const text = answer
    .replace(/[\n\t]/g, " ")
    .trim()
    .toLowerCase();
  // A mark next to a space vanishes, one between letters parts them; a number with a comma makes all marks vanish.
  const hasThousands = /\d,\d/.test(text);
  const bare = marks.reduce((left, mark) => {
    const isLoose = hasThousands || text.includes(`${mark} `) || text.includes(` ${mark}`);
    return left.replaceAll(mark, isLoose ? "" : " ");
  }, text);
  return bare
    .replace(/\.(?!\d)/g, "")
    .split(/\s+/)
    .map((word) => digits.get(word) ?? word)
    .filter((word) => word !== "" && !articles.has(word))
    .map((word) => spellings.get(word) ?? word)
    .join(" ");
}

function spellingsOf(form: string): string[] {
  const [head = "", ...tails] = form.split("'");
  return tails.reduce((heads, tail) => heads.flatMap((text) => [`${text}${tail}`, `${text}'${tail}`]), [head]);
}
