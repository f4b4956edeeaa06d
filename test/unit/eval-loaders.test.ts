// Questions as the authors of benchmarks publish them, in tiny files of the same shape.
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadQuestions } from "../../lib/eval/index.js";
import { refusal } from "../engine/fixtures.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fovea-questions-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a file below the folder and returns its path. */
function file(name: string, content: string | object = ""): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const lines = (...objects: object[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join("");

describe("the formats", () => {
  it("jsonl: the held-out questions, from their folder", async () => {
    const set = await loadQuestions(fileURLToPath(new URL("../../model/eval", import.meta.url)));
    expect(set).toMatchObject({ format: "jsonl", rule: "exact", suffix: "" });
    expect(set.questions).toHaveLength(3189);
    expect(set.questions[0]).toMatchObject({
      id: "000-0",
      kind: "where",
      text: "Where is the clock?",
      answers: ["bottom left"],
    });
  });

  it("jsonl: ids and kinds may be missing, answers may be several", async () => {
    file("a.png");
    const path = file("q.jsonl", `\n${lines({ image: "a.png", question: "How many?", answer: ["2", "two"] })}`);
    const { questions } = await loadQuestions(path);
    expect(questions).toEqual([
      {
        id: "1",
        kind: "question",
        image: join(folder, "a.png"),
        imageKey: "a.png",
        text: "How many?",
        answers: ["2", "two"],
      },
    ]);
  });

  it("POPE", async () => {
    file("val2014/COCO_val2014_000000310196.jpg");
    const one = {
      question_id: 1,
      image: "COCO_val2014_000000310196.jpg",
      text: "Is there a snowboard in the image?",
      label: "yes",
    };
    const path = file("coco/coco_pope_random.json", lines(one, { ...one, question_id: 2, label: "no" }));
    const set = await loadQuestions(path);
    expect(set).toMatchObject({
      format: "pope",
      rule: "pope",
      suffix: "Answer the question using a single word or phrase.",
    });
    expect(set.questions.map(({ id, kind, answers }) => ({ id, kind, answers }))).toEqual([
      { id: "1", kind: "yes", answers: ["yes"] },
      { id: "2", kind: "no", answers: ["no"] },
    ]);
    expect(set.questions[0]?.image).toBe(join(folder, "coco", "..", "val2014", "COCO_val2014_000000310196.jpg"));
  });

  it("TextVQA", async () => {
    file("train_images/003a8ae2ef43b901.jpg");
    const answers = ["nokia", "nokia", "nokia", "nokia", "toshiba", "nokia", "nokia", "samsung", "nokia", "nokia"];
    const one = {
      question: "what is the brand of this camera?",
      image_id: "003a8ae2ef43b901",
      question_id: 34602,
      answers,
    };
    const path = file("TextVQA_0.5.1_val.json", { dataset_type: "val", dataset_name: "textvqa", data: [one] });
    const { format, rule, questions } = await loadQuestions(path);
    expect([format, rule]).toEqual(["textvqa", "vqa"]);
    expect(questions[0]).toMatchObject({ id: "34602", answers, imageKey: "003a8ae2ef43b901" });
  });

  it("GQA", async () => {
    file("images/n161313.jpg");
    const one = {
      semantic: [],
      isBalanced: true,
      question: "Is it overcast?",
      imageId: "n161313",
      answer: "no",
      types: { structural: "verify" },
    };
    const path = file("questions1.2/testdev_balanced_questions.json", { "201307251": one });
    const { format, rule, questions } = await loadQuestions(path);
    expect([format, rule]).toEqual(["gqa", "folded"]);
    expect(questions[0]).toMatchObject({ id: "201307251", kind: "verify", text: "Is it overcast?", answers: ["no"] });
  });

  it("easy-VQA", async () => {
    file("test/images/0.png");
    file("test/questions.json", [
      ["what is the blue shape?", "rectangle", 0],
      ["is there a red shape?", "no", 0],
    ]);
    const { format, questions } = await loadQuestions(join(folder, "test"));
    expect(format).toBe("easy-vqa");
    expect(questions.map(({ id, kind, answers }) => [id, kind, ...answers])).toEqual([
      ["0", "shape or color", "rectangle"],
      ["1", "yes or no", "no"],
    ]);
  });

  it("MME: texts next to the pictures, or in a folder of their own", async () => {
    const pair = (name: string) => `Is this ${name}? Please answer yes or no.\tYes\nIs this a hat?\tNo\n`;
    file("eval_tool.txt", "not a category");
    for (const name of ["count/1.txt", "artwork/questions_answers_YN/2.txt"]) file(name, pair(name));
    for (const name of ["count/1.jpg", "artwork/images/2.png"]) file(name);
    const { format, rule, questions } = await loadQuestions(folder);
    expect([format, rule]).toEqual(["mme", "mme"]);
    expect(questions.map(({ id, kind, group, answers }) => [id, kind, group, ...answers])).toEqual([
      ["artwork/2/1", "artwork", "artwork/2", "yes"],
      ["artwork/2/2", "artwork", "artwork/2", "no"],
      ["count/1/1", "count", "count/1", "yes"],
      ["count/1/2", "count", "count/1", "no"],
    ]);
    expect(questions[0]?.image).toBe(join(folder, "artwork/images/2.png"));
  });

  it("MMBench: quoted fields, missing options, pictures by reference, circles", async () => {
    const head = "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tsplit";
    const base64 = Buffer.from("picture").toString("base64");
    const path = file(
      "mmbench_dev.tsv",
      `${head}\n7\tWhich is right?\t"a ""hint""\nin two\tlines"\tone\ttwo\t\t\tB\tsocial\t${base64}\tdev\r\n` +
        "1000007\tWhich is right?\tnan\ttwo\tone\t\t\tA\tsocial\t7\tdev\n",
    );
    const { format, rule, questions } = await loadQuestions(path);
    expect([format, rule]).toEqual(["mmbench", "option"]);
    expect(questions).toEqual([
      {
        id: "7",
        kind: "social",
        image: Buffer.from("picture"),
        imageKey: "7",
        text: 'a "hint"\nin two\tlines\nWhich is right?\nA. one\nB. two',
        answers: ["B"],
        options: { A: "one", B: "two" },
        group: "7",
      },
      {
        id: "1000007",
        kind: "social",
        image: Buffer.from("picture"),
        imageKey: "7",
        text: "Which is right?\nA. two\nB. one",
        answers: ["A"],
        options: { A: "two", B: "one" },
        group: "7",
      },
    ]);
  });
});

describe("options", () => {
  const question = (n: number) => ({ id: n, image: "a.png", question: `Number ${n}?`, answer: "no" });

  it("limit keeps the first ones, and the digest is that of the file", async () => {
    file("a.png");
    const path = file("q.jsonl", lines(question(1), question(2), question(3)));
    const [all, two] = [await loadQuestions(path), await loadQuestions(path, { limit: 2, suffix: "Be brief." })];
    expect(two.questions.map(({ id }) => id)).toEqual(["1", "2"]);
    expect(two.suffix).toBe("Be brief.");
    expect(two.digest).toBe(all.digest);
    file("q.jsonl", lines(question(1), question(2), { ...question(3), answer: "yes" }));
    expect((await loadQuestions(path)).digest).not.toBe(all.digest);
  });

  it("images names another folder", async () => {
    const picture = file("elsewhere/a.png");
    const { questions } = await loadQuestions(file("q.jsonl", lines(question(1))), {
      images: join(folder, "elsewhere"),
    });
    expect(questions[0]?.image).toBe(picture);
  });
});

describe("what is refused, with its place", () => {
  const good = { id: "1", image: "a.png", question: "What?", answer: "no" };
  const mmbench = (row: string) => `index\tquestion\tA\tB\tanswer\timage\n${row}\n`;
  it.each([
    ["no JSON", "jsonl", `${lines(good)}{"image`, /line 2: got "\{\\"image", expected JSON/],
    ["no object", "jsonl", "[1]\n", /line 1: got \[1\], expected an object/],
    ["no question", "jsonl", lines({ ...good, question: "" }), /line 1, question: got "", expected a text/],
    ["an answer that is a number", "jsonl", lines({ ...good, answer: 3 }), /line 1, answer: got 3/],
    ["an id twice", "jsonl", lines(good, good), /got "1", expected every question's id once/],
    ["a path out of the folder", "jsonl", lines({ ...good, image: "x/../../a.png" }), /inside the folder of pictures/],
    ["an absolute path", "jsonl", lines({ ...good, image: "/etc/passwd" }), /inside the folder of pictures/],
    [
      "a picture that is missing",
      "jsonl",
      lines({ ...good, image: "b.png" }),
      /b\.png: got nothing, expected a picture/,
    ],
    ["nothing", "jsonl", "\n", /got 0, expected 1 to 1000000 questions/],
    [
      "another label",
      "pope",
      lines({ question_id: 1, image: "a.png", text: "x", label: "maybe" }),
      /expected "yes" or "no"/,
    ],
    ["no data", "textvqa", "{}", /data: got nothing, expected a list/],
    [
      "answers that are no list",
      "textvqa",
      '{"data":[{"image_id":"a","question_id":1,"question":"x","answers":"no"}]}',
      /data\[0\], answers/,
    ],
    ["no image", "gqa", '{"7":{"question":"x","answer":"no"}}', /question "7", imageId: got nothing/],
    ["an entry that is short", "easy-vqa", '[["x","no"]]', /entry 0: got \["x", "no"\]/],
    ["a field too few", "mmbench", mmbench("1\tWhat?\tone\ttwo\tA"), /line 2: got 5, expected 6 fields/],
    ["a quote without end", "mmbench", mmbench('1\t"What?\tone'), /a quotation mark that ends the field/],
    ["text behind a quote", "mmbench", mmbench('1\t"What?"x\tone'), /a tab or a line break after/],
    ["one option", "mmbench", mmbench("1\tWhat?\tone\t\tA\taaaa"), /at least two options/],
    ["an answer that is no option", "mmbench", mmbench("1\tWhat?\tone\ttwo\tC\taaaa"), /got "C", expected one of A,B/],
    ["a reference to no picture", "mmbench", mmbench("1\tWhat?\tone\ttwo\tA\t9"), /the index of a row that has one/],
  ])("%s (%s)", async (_, format, content, message) => {
    file("a.png");
    const path = file("questions.txt", content);
    const error = await refusal(loadQuestions(path, { format }));
    expect(error).toMatchObject({ code: "ERR_FOVEA_INVALID_ARGUMENT", message: expect.stringMatching(message) });
    expect(error.message).toContain(folder);
  });

  it("MME: a line without an answer, a text without a picture", async () => {
    file("count/1.jpg");
    file("count/1.txt", "Is it?\tYes\nIs it not?\n");
    expect((await refusal(loadQuestions(folder))).message).toMatch(/1\.txt, line 2: got "Is it not\?"/);
    file("count/1.txt", "");
    file("count/2.txt", "Is it?\tYes\n");
    expect((await refusal(loadQuestions(folder))).message).toMatch(/a picture 2\.jpg or 2\.png/);
  });

  it("a format nobody knows, a file of none, and no file", async () => {
    const path = file("x.txt", "hello");
    expect((await refusal(loadQuestions(path))).message).toContain("expected one of the formats");
    expect((await refusal(loadQuestions(path, { format: "vqa" }))).message).toContain("textvqa");
    expect((await refusal(loadQuestions(join(folder, "none")))).message).toContain("ENOENT");
    expect((await refusal(loadQuestions(path, { limit: 0 }))).message).toContain("limit is 0");
  });

  it("a file that is too large, unread", async () => {
    const path = file("large.jsonl", lines(good));
    truncateSync(path, 2 ** 30); // sparse
    expect((await refusal(loadQuestions(path))).message).toMatch(/has 1073741824 bytes/);
  });
});
