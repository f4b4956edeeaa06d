import { describe, expect, it } from "vitest";
import { loadModel } from "../../lib/index.js";
import { refusal } from "../engine/fixtures.js";
import { editJson, removeCopiesAfterwards, tinyModel } from "./damaged-model.js";

const FORMAT = "ERR_FOVEA_MODEL_FORMAT";
const UNSUPPORTED = "ERR_FOVEA_MODEL_UNSUPPORTED";

removeCopiesAfterwards();

type Fields = Record<string, unknown>;
interface Config {
  text_config: Fields & { rope_parameters: Fields };
  vision_config: Fields & { rope_parameters: Fields };
}
const sections = (mrope_section: unknown) => (c: Config) =>
  Object.assign(c.text_config.rope_parameters, { mrope_section });
const text = (fields: Fields) => (c: Config) => Object.assign(c.text_config, fields);
const vision = (fields: Fields) => (c: Config) => Object.assign(c.vision_config, fields);

const cases: [string, string, (config: Config) => unknown, string, RegExp][] = [
  ["qwen2_5_vl", "sections do not add up to a head", sections([3, 2, 2]), FORMAT, /mrope_section.*add up to 6/],
  ["qwen2_5_vl", "there are four sections", sections([2, 2, 1, 1]), FORMAT, /mrope_section/],
  ["qwen2_5_vl", "a section is negative", sections([8, -1, -1]), FORMAT, /mrope_section/],
  ["qwen2_5_vl", "a section is huge", sections([2 ** 53, 0, 0]), FORMAT, /mrope_section/],
  ["qwen2_5_vl", "sections are no list", sections("3,2,1"), FORMAT, /mrope_section/],
  [
    "qwen2_5_vl",
    "sections are left out, and those of published models do not fit",
    sections(null),
    FORMAT,
    /mrope_section/,
  ],
  ["qwen3_vl", "sections do not add up to a head", sections([4, 4, 4]), FORMAT, /mrope_section.*add up to 8/],
  [
    "qwen2_5_vl",
    "the decoder is another",
    text({ model_type: "qwen2" }),
    UNSUPPORTED,
    /text_config\.model_type is "qwen2"/,
  ],
  ["qwen2_5_vl", "the decoder has no name", text({ model_type: null }), FORMAT, /model_type/],
  [
    "qwen2_5_vl",
    "the decoder attends in windows",
    text({ use_sliding_window: true }),
    UNSUPPORTED,
    /use_sliding_window/,
  ],
  [
    "qwen2_5_vl",
    "the rope type is unknown",
    text({ rope_parameters: { rope_type: "longrope" } }),
    UNSUPPORTED,
    /longrope/,
  ],
  ["qwen2_5_vl", "a window is nothing", vision({ window_size: 0 }), FORMAT, /window_size/],
  ["qwen2_5_vl", "a window is smaller than a square", vision({ window_size: 7 }), FORMAT, /window_size/],
  [
    "qwen2_5_vl",
    "full layers do not ascend",
    vision({ fullatt_block_indexes: [3, 1] }),
    FORMAT,
    /fullatt_block_indexes/,
  ],
  ["qwen2_5_vl", "a full layer is none", vision({ fullatt_block_indexes: [4] }), FORMAT, /fullatt_block_indexes/],
  ["qwen2_5_vl", "patches have no size", vision({ patch_size: 0 }), FORMAT, /patch_size/],
  ["qwen2_5_vl", "patches are oblong", vision({ patch_size: [4, 8] }), FORMAT, /patch_size/],
  ["qwen2_5_vl", "a patch spans no frame", vision({ temporal_patch_size: 0 }), FORMAT, /temporal_patch_size/],
  [
    "qwen2_5_vl",
    "a patch spans other frames than the weights",
    vision({ temporal_patch_size: 3 }),
    FORMAT,
    /patch_embed/,
  ],
  ["qwen2_5_vl", "nothing is merged", vision({ spatial_merge_size: 1 }), FORMAT, /spatial_merge_size/],
  ["qwen2_5_vl", "squares are absurd", vision({ spatial_merge_size: 1e6 }), FORMAT, /spatial_merge_size/],
  ["qwen2_5_vl", "heads cannot be turned two ways", vision({ num_heads: 16 }), FORMAT, /num_heads/],
  ["qwen2_5_vl", "pictures have 4 channels", vision({ in_channels: 4 }), FORMAT, /in_channels/],
  [
    "qwen2_5_vl",
    "the tower turns otherwise",
    vision({ rope_parameters: { rope_type: "linear" } }),
    FORMAT,
    /rope_type/,
  ],
  ["qwen2_5_vl", "the tower is absurdly deep", vision({ depth: 1e9 }), FORMAT, /depth/],
  ["qwen3_vl", "positions make no square", vision({ num_position_embeddings: 24 }), FORMAT, /num_position_embeddings/],
  ["qwen3_vl", "positions are absurd", vision({ num_position_embeddings: 2 ** 40 }), FORMAT, /num_position_embeddings/],
  ["qwen3_vl", "positions are others than the weights", vision({ num_position_embeddings: 36 }), FORMAT, /pos_embed/],
  [
    "qwen3_vl",
    "a deep layer comes twice",
    vision({ deepstack_visual_indexes: [1, 1] }),
    FORMAT,
    /deepstack_visual_indexes/,
  ],
  [
    "qwen3_vl",
    "a deep layer is negative",
    vision({ deepstack_visual_indexes: [-1] }),
    FORMAT,
    /deepstack_visual_indexes/,
  ],
  [
    "qwen3_vl",
    "deep layers are more than the decoder's",
    text({ num_hidden_layers: 2 }),
    FORMAT,
    /deepstack_visual_indexes/,
  ],
];

describe("a Qwen-VL config.json is refused when", () => {
  it.each(cases)("%s: %s", async (from, _, edit, code, message) => {
    const got = await refusal(loadModel(tinyModel(editJson("config.json", edit), `../qwen_vl/${from}`)));
    expect(got.message).toMatch(message);
    expect(got.code, got.message).toBe(code);
  });

  it("and pixels that make no whole squares, or too many", async () => {
    await using model = await loadModel(tinyModel(undefined, "../qwen_vl/qwen2_5_vl"));
    const ids = { data: Int32Array.of(260), shape: [1, 1] };
    for (const [height, width] of [
      [8, 12],
      [0, 8],
      [8, 8 * (2 ** 14 + 1)],
    ] as const) {
      const pixels = { data: new Float32Array(3 * height * width), shape: [1, 3, height, width] };
      const got = await refusal(model.forward({ input_ids: ids, pixel_values: pixels }));
      expect(got.code).toBe("ERR_FOVEA_INVALID_ARGUMENT");
      expect(got.message).toMatch(/multiples of 8 and at most 65536 patches/);
    }
    for (const [pixel_sizes, message] of [
      [{ data: Int32Array.of(8, 8), shape: [1, 2] }, /pixel_values has 10 numbers.*192/],
      [{ data: Int32Array.of(8, -8), shape: [1, 2] }, /pixel_sizes/],
      [{ data: Int32Array.of(8, 8, 8), shape: [1, 3] }, /pixel_sizes/],
      [{ data: Float32Array.of(8, 8), shape: [1, 2] }, /pixel_sizes/],
    ] as const) {
      const pixel_values = { data: new Float32Array(10), shape: [10] };
      const got = await refusal(model.forward({ input_ids: ids, pixel_values, pixel_sizes: pixel_sizes as never }));
      expect(got.message).toMatch(message);
      expect(got.code).toBe("ERR_FOVEA_INVALID_ARGUMENT");
    }
  });
});
