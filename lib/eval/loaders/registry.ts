import { easyVqa } from "./easy-vqa.js";
import { gqa } from "./gqa.js";
import { jsonl } from "./jsonl.js";
import type { Loader } from "./loader.js";
import { mmbench } from "./mmbench.js";
import { mme } from "./mme.js";
import { pope } from "./pope.js";
import { textVqa } from "./text-vqa.js";

/** Every format of questions, in the order in which they are recognised. */
export const loaders: readonly Loader[] = [mme, mmbench, easyVqa, pope, jsonl, gqa, textVqa];
