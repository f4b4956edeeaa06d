"""PyTorch and transformers as a peer of bench/peers.mjs: answers every line of its input with the milliseconds of one
repetition.

    python bench/peers/pytorch.py <folder> float32|bfloat16 <threads> <rows> <tokens>

One picture of the tower's size goes through tower and projector, then `rows` random rows through the decoder, then
`tokens` one by one through decoder and head.
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
    side = model.config.vision_config.image_size
    pixels = torch.rand(1, 1, 3, side, side, dtype=dtype)
    if model.config.model_type == "llava":
        pixels = pixels[0]
    rows = torch.rand(1, int(n_rows), model.config.get_text_config().hidden_size, dtype=dtype)

    def forward(some, cache):
        return model.model(inputs_embeds=some, past_key_values=cache, use_cache=True)

    def decode(cache):
        for _ in range(int(n_tokens)):
            model.lm_head(forward(rows[:, :1], cache).last_hidden_state)

    print(json.dumps({"ready": f"PyTorch {torch.__version__}, transformers {transformers.__version__}"}), flush=True)
    with torch.inference_mode():
        for _ in sys.stdin:
            encode, _ = milliseconds(lambda: model.get_image_features(pixel_values=pixels))
            prefill, out = milliseconds(lambda: forward(rows, None))
            decoding, _ = milliseconds(lambda: decode(out.past_key_values))
            print(json.dumps({"encode": encode, "prefill": prefill, "decode": decoding / int(n_tokens)}), flush=True)


main()
