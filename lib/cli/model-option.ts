import { Option } from "commander";

/** The option that says which model a command loads. */
export function modelOption(): Option {
  const description = "a Hugging Face folder, owner/name of the hub, or an embedded model";
  return new Option("--model <folder or name>", description).default("fovea-mini");
}
