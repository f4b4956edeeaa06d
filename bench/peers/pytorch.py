"""PyTorch and transformers as a peer of bench/peers.mjs: answers every line of its input with the milliseconds of one
repetition.

    python bench/peers/pytorch.py <folder> float32|bfloat16 <threads> <rows> <tokens>

One picture (of the tower's size, or of 504 x 504 pixels) goes through tower and projector, then `rows` random rows
through the decoder, then `tokens` one by one through decoder and head.
"""

import json
import sys
import time

import torch
import transformers


def milliseconds(run):
    begin = time.perf_counter()
    result = run()
    return 1000 * (time.perf_counter() - begin), result


def main():
    folder, dtype, threads, n_rows, n_tokens = sys.argv[1:]
    dtype = getattr(torch, dtype)
    torch.set_num_threads(int(threads))
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
    vision = model.config.vision_config
    if model.config.model_type == "qwen2_vl":  # takes patches of two moments each
        side, patch = 504 // vision.patch_size, 2 * 3 * vision.patch_size**2
        picture = {"pixel_values": torch.rand(side * side, patch, dtype=dtype)}
        picture["image_grid_thw"] = torch.tensor([[1, side, side]])
    else:
        tiles = (1,) if model.config.model_type == "llava" else (1, 1)
        picture = {"pixel_values": torch.rand(*tiles, 3, vision.image_size, vision.image_size, dtype=dtype)}
    rows = torch.rand(1, int(n_rows), model.config.get_text_config().hidden_size, dtype=dtype)

    def forward(some, cache):
        return model.model(inputs_embeds=some, past_key_values=cache, use_cache=True)

    def decode(cache):
        for _ in range(int(n_tokens)):
            model.lm_head(forward(rows[:, :1], cache).last_hidden_state)

    print(json.dumps({"ready": f"PyTorch {torch.__version__}, transformers {transformers.__version__}"}), flush=True)
    with torch.inference_mode():
        for _ in sys.stdin:
            encode, _ = milliseconds(lambda: model.get_image_features(**picture))
            prefill, out = milliseconds(lambda: forward(rows, None))
            decoding, _ = milliseconds(lambda: decode(out.past_key_values))
            print(json.dumps({"encode": encode, "prefill": prefill, "decode": decoding / int(n_tokens)}), flush=True)


main()
