"""Frequencies of every kind of RoPE scaling that Fovea computes, and what YaRN multiplies rotated rows by, as transformers has them."""

import json

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from common import GOLDEN, GoldenWriter

FOLDER = GOLDEN / "rope"
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192, rope_theta=500000.0)  # fmt: skip
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32768, rope_theta=1000000.0)
# name -> width of a head, rope_parameters
CASES = {
    "linear": (64, dict(rope_type="linear", factor=8.0, rope_theta=1000000.0)),
    "llama3": (128, LLAMA3),
    "llama3 of other factors": (64, LLAMA3 | dict(factor=32.0, low_freq_factor=2.0, high_freq_factor=5.0, rope_theta=10000.0)),
    "yarn": (128, YARN),
    "yarn of the whole context": (80, {k: v for k, v in YARN.items() if not k.startswith("original")}),
    "yarn with betas": (64, YARN | dict(beta_fast=24.0, beta_slow=2.0, rope_theta=10000.0)),
    "yarn not truncated": (96, YARN | dict(truncate=False, factor=2.5)),
    "yarn with both scales": (64, YARN | dict(factor=40.0, mscale=1.0, mscale_all_dim=0.8, original_max_position_embeddings=4096)),
    "yarn with one scale": (64, YARN | dict(mscale=0.7)),
    "yarn with a stated factor": (64, YARN | dict(attention_factor=0.9)),
    "yarn of a short ramp": (16, YARN | dict(original_max_position_embeddings=16, rope_theta=100.0)),
    "yarn that shrinks": (32, YARN | dict(factor=0.5)),
}  # fmt: skip

FOLDER.mkdir(exist_ok=True)
golden, cases = GoldenWriter(FOLDER, "golden"), []
for name, (width, rope) in CASES.items():
    text = dict(hidden_size=4 * width, num_attention_heads=4, max_position_embeddings=131072, rope_parameters=rope)
    config = transformers.LlamaConfig(**json.loads(json.dumps(text)))
    frequencies, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu")
    golden.add(name, frequencies)
    cases.append({"name": name, "width": width, "config": text, "factor": factor})
golden.write({"cases": cases})
