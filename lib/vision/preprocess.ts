import { join } from "node:path";
import { FoveaError } from "../errors.js";
import { type ModelFolder, pathOf, readModelJson } from "../hub/model-file.js";
import { isRecord } from "../is-record.js";
import type { ImagePreprocessor } from "./image-preprocessor.js";
import { imageFamilies } from "./registry.js";

/** Reads how a model wants its images. */
export async function loadImagePreprocessor(folder: ModelFolder): Promise<ImagePreprocessor> {
  const model = await readModelJson(folder, "config.json");
  if (model === null) throw missing(pathOf(folder), "config.json");
  const processor = (await readModelJson(folder, "processor_config.json")) ?? {};
  const preprocessor =
    (await readModelJson(folder, "preprocessor_config.json")) ??
    (isRecord(processor.image_processor) ? processor.image_processor : null);
  if (preprocessor === null) throw missing(pathOf(folder), "preprocessor_config.json");

  const family = imageFamilies.get(String(model.model_type));
  if (family === undefined) {
    throw new FoveaError(
      "ERR_FOVEA_MODEL_UNSUPPORTED",
      `${join(pathOf(folder), "config.json")}: no image preprocessing for model_type ${JSON.stringify(model.model_type)}. ` +
        `Supported: ${[...imageFamilies.keys()].join(", ")}.`,
    );
  }
  const video = isRecord(processor.video_processor)
    ? processor.video_processor
    : await readModelJson(folder, "video_preprocessor_config.json");
  return family({ model, processor, preprocessor, video: video ?? preprocessor });
}

function missing(folder: string, name: string): FoveaError {
  return new FoveaError(
    "ERR_FOVEA_MODEL_NOT_FOUND",
    `No ${name} in ${folder}. Pass a complete Hugging Face folder of a vision-language model.`,
  );
}
