"""Trains the tokenizer on what scenes ask and answer: byte-level BPE in which capitals and digits stay single letters.

python tokenizer.py --out build/tokenizer.json
"""

import argparse
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from classes import HERE, NAMES, plural
from questions import ask
from scenes import make_scene

SPECIAL = ["<pad>", "<s>", "</s>", "<image>"]
PAD, BOS, EOS, IMAGE = range(4)


def corpus(scenes: int, seed: int) -> list[str]:
    """The turns of many scenes; printed words are cut out, since they are spelled letter by letter anyway."""
    rng = random.Random(seed)
    lines = []
    for _ in range(scenes):
        scene = make_scene(rng)
        turns = [f"USER: {question.text} ASSISTANT: {question.answer}" for question in ask(rng, scene)]
        lines += [turn.replace(scene.word, "") if scene.word else turn for turn in turns]
    for name in NAMES:
        lines += [f" {name}", f" {plural(name)}", name] * 5
    return lines


def train(lines: list[str], vocab: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=None, byte_fallback=False))
    alone = Regex(r"USER:|ASSISTANT:|\p{Lu}|\p{N}")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(alone, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocab", type=int, default=1024, help="upper bound; the corpus may hold fewer pieces")
    parser.add_argument("--out", type=Path, default=HERE / "build" / "tokenizer.json")
    args = parser.parse_args()
    tokenizer = train(corpus(args.scenes, args.seed), args.vocab)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(args.out))
    print(f"{tokenizer.get_vocab_size()} pieces in {args.out}")


if __name__ == "__main__":
    main()
