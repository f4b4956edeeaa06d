"""The phases of bench/phases.mjs in PyTorch and transformers, for the same folder: what a user of Python has.

    python bench/peers/transformers_phases.py <folder> [--dtypes float32,bfloat16] [--threads 2] [--repetitions 3]
                                              [--tiles 17] [--rows 1139] [--tokens 16]

Folders come from bench/random-model.mjs. Pixels and rows are random, as many as Fovea sees: `tiles` images through the
tower and the projector at once, then `rows` embedded rows through the decoder, then `tokens` one by one. Medians as
JSON, in milliseconds.
"""

import argparse
import json
import statistics
import time

import torch
import transformers


def milliseconds(run):
    begin = time.perf_counter()
    result = run()
    return 1000 * (time.perf_counter() - begin), result


def measure(folder, dtype, arguments):
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
    vision = model.config.vision_config
    text = model.config.get_text_config()
    pixels = torch.rand(1, arguments.tiles, 3, vision.image_size, vision.image_size, dtype=dtype)
    if model.config.model_type == "llava":
        pixels = pixels[0]
    rows = torch.rand(1, arguments.rows, text.hidden_size, dtype=dtype)
    runs = {"encode": [], "prefill": [], "decode": []}
    for repetition in range(-1, arguments.repetitions):
        encode, _ = milliseconds(lambda: model.get_image_features(pixel_values=pixels))
        prefill, out = milliseconds(
            lambda: model.model(inputs_embeds=rows, use_cache=True).past_key_values)
        head = model.lm_head

        def decode():
            cache = out
            for _ in range(arguments.tokens):
                hidden = model.model(inputs_embeds=rows[:, :1], past_key_values=cache, use_cache=True).last_hidden_state
                head(hidden)

        step, _ = milliseconds(decode)
        if repetition >= 0:
            runs["encode"].append(encode)
            runs["prefill"].append(prefill)
            runs["decode"].append(step / arguments.tokens)
    return {name: round(statistics.median(times), 2) for name, times in runs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--tiles", type=int, default=17)
    parser.add_argument("--rows", type=int, default=1139)
    parser.add_argument("--tokens", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        for name in arguments.dtypes.split(","):
            print(json.dumps({"dtype": name, **measure(arguments.folder, getattr(torch, name), arguments)}), flush=True)


main()
