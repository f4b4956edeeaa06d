"""Writes a checkpoint as a Hugging Face folder in bf16: python export.py build/mini.pt build/fovea-mini"""

import argparse
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast

from network import PUBLISHED, load_student

UNTRAINED = ("chat_template.jinja", "preprocessor_config.json", "processor_config.json")  # the same for every run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, default=PUBLISHED / "tokenizer.json")
    args = parser.parse_args()

    student = load_student(Tokenizer.from_file(str(args.tokenizer)).get_vocab_size())
    student.load_state_dict(torch.load(args.checkpoint)["mean"])
    model = student.llava.bfloat16().eval()
    for part in (model.config.text_config, model.config.vision_config):
        part.dtype = None  # they were made in f32; the whole says what they are now
    model.generation_config = GenerationConfig.from_pretrained(PUBLISHED)
    model.save_pretrained(args.out)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(args.tokenizer),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=2048,
        padding_side="left",
    )
    tokenizer.save_pretrained(args.out)
    for name in UNTRAINED:
        shutil.copyfile(PUBLISHED / name, args.out / name)
    print({file.name: file.stat().st_size for file in sorted(args.out.iterdir())})


if __name__ == "__main__":
    main()
