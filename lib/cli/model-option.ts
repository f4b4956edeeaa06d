import { Option } from "commander";
import type { LoadOptions } from "../index.js";

/** What the options below become. */
export interface ModelOptions extends Pick<LoadOptions, "mmproj" | "dtype" | "threads"> {
  model: string;
}

/** The option that says which model a command loads. */
export function modelOption(): Option {
  const description = "a Hugging Face folder, owner/name of the hub, a GGUF file, or an embedded model";
  return new Option("--model <folder or name>", description).default("fovea-mini");
}

/** The option that completes a model in GGUF. */
export function mmprojOption(): Option {
  return new Option("--mmproj <file.gguf>", "a GGUF model's vision tower, if there is not just one beside it");
}

/** The option that says how weights are held. */
export function dtypeOption(): Option {
  const types = ["auto", "f32", "bf16", "f16", "int8", "int4"];
  return new Option("--dtype <type>", "weights in memory").choices(types).default("auto");
}
