import { join } from "node:path";
import { FoveaError } from "../engine/errors.js";
import { isJsonObject, type JsonObject, readModelJson } from "../hub/model-file.js";
import type { PreprocessSpec } from "../native/binding.js";
import { imageFamilies } from "./registry.js";

/** What a model's family does to a decoded image before the vision tower sees it. */
export interface ImagePreprocessor {
  /** Geometry and scaling for an image of this size. `index` is its position in the request, for errors. */
  spec(width: number, height: number, index?: number): PreprocessSpec;
  /** Visual rows that an image of this size takes in the prompt. */
  rows(width: number, height: number): number;
}

/** The JSON files of a model folder that describe its images. */
export interface ImageConfig {
  /** preprocessor_config.json, or "image_processor" of processor_config.json. */
  preprocessor: JsonObject;
  /** processor_config.json; empty for old models. */
  processor: JsonObject;
  /** config.json */
  model: JsonObject;
}

/** Reads how a model wants its images. */
export async function loadImagePreprocessor(folder: string): Promise<ImagePreprocessor> {
  const model = await readModelJson(folder, "config.json");
  if (model === null) throw missing(folder, "config.json");
  const processor = (await readModelJson(folder, "processor_config.json")) ?? {};
  const preprocessor =
    (await readModelJson(folder, "preprocessor_config.json")) ??
    (isJsonObject(processor.image_processor) ? processor.image_processor : null);
  if (preprocessor === null) throw missing(folder, "preprocessor_config.json");

  const family = imageFamilies.get(String(model.model_type));
  if (family === undefined) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `${join(folder, "config.json")}: no image preprocessing for model_type ${JSON.stringify(model.model_type)}. ` +
        `Supported: ${[...imageFamilies.keys()].join(", ")}.`,
    );
  }
  return family({ model, processor, preprocessor });
}

function missing(folder: string, name: string): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_NOT_FOUND",
    `No ${name} in ${folder}. Pass a complete Hugging Face folder of a vision-language model.`,
  );
}
