"""Records token ids, rendered chat prompts and expanded prompts: python text.py [model folder]

Besides the embedded model's byte-level tokenizer it makes a small one of the SentencePiece kind (Llama 2's steps: a
mark for spaces, bytes for what is unknown), because its decoder strips and fuses where the other does not.
"""

import json
import pathlib
import sys

from common import GOLDEN, MODEL, load_processor
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import __version__

TEXTS = [
    "", " ", "  ", "\n", "\n\n\n", "\t\ttabs\t", "a", "Hello", "hello world", " leading", "trailing ", "two  spaces",
    "How many cats are there?", "What colour is the dog?", "Is there an apple?", "What does the sign say?",
    "Which object is on the left, the owl or the pear?", "USER: hi ASSISTANT:", "USER:USER:ASSISTANT:ASSISTANT",
    "UPPER CASE AND Mixed Case", "camelCaseWords", "1234567890", "3.14159, -2e10", "x=1;y=2", "don't can't I'll we've",
    "punctuation!?.,;:'\"()[]{}<>@#$%^&*", "line one\nline two\r\nline three", "naïve café déjà vu", "Straße ÄÖÜ ẞ",
    "Ελληνικά κείμενο", "Русский текст", "עברית", "العربية", "हिन्दी पाठ", "ไทย", "中文字符", "日本語のテキスト", "한국어",
    "😀", "👩‍👩‍👧‍👦 family", "🏳️‍🌈 flag", "👍🏽 skin", "🇩🇪🇫🇷", "e\u0301 combining", "zero\u200bwidth", "\u00a0nbsp\u00a0", "\ufeffbom",
    "\u2028line separator", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𐍈 gothic", "\ufffd replacement", "\u0000null", "\u007f\u0080\u009f controls", "ﬁ ligature",
    "</s>", "<s>", "<pad> <image>", "a<image>b", "<image>\n<image>\n", "< image >", "<image", "before</s>after<s>again",
    "▁lower one eighth block", "Ġ byte alphabet Ċ", "a" * 300, "The quick brown fox jumps over the lazy dog. " * 5,
]


def text(value):
    return {"type": "text", "text": value}


IMAGE = {"type": "image"}


def turn(role, *parts):
    return {"role": role, "content": parts[0] if len(parts) == 1 and isinstance(parts[0], str) else list(parts)}


CHATS = {
    "question": [turn("user", IMAGE, text("What is this?"))],
    "text first": [turn("user", text("What is this?"), IMAGE)],
    "text only": [turn("user", "Hello there")],
    "two images": [turn("user", IMAGE, IMAGE, text("Which one has more dogs?"))],
    "text around images": [turn("user", text("Compare "), IMAGE, text(" with "), IMAGE)],
    "many turns": [
        turn("user", IMAGE, text("How many cats?")),
        turn("assistant", text("two")),
        turn("user", "And what colour?"),
        turn("assistant", "black"),
        turn("user", text("Sure?")),
    ],
    "image in a later turn": [turn("user", "Hi"), turn("assistant", "hello"), turn("user", IMAGE, text("And this?"))],
    "system turn": [turn("system", "Answer briefly."), turn("user", IMAGE, text("What is this?"))],
    "unicode": [turn("user", IMAGE, text("Où est le 🐈‍⬛? 猫はどこ?\n"))],
    "ends with assistant": [turn("user", IMAGE, text("What?")), turn("assistant", text("a cat"))],
}


def record_texts(encode, decode):
    rows = []
    for value in TEXTS:
        ids = encode(value)
        rows.append({"text": value, "ids": ids, "decoded": decode(ids)})
    return rows


def record_chats(processor):
    rows = []
    for name, messages in CHATS.items():
        for add_generation_prompt in (True, False):
            prompt = processor.apply_chat_template(messages, add_generation_prompt=add_generation_prompt)
            images = [Image.new("RGB", (300, 200 + i)) for i in range(prompt.count("<image>"))]
            ids = processor(text=prompt, images=images or None)["input_ids"]
            rows.append({
                "name": name,
                "messages": messages,
                "addGenerationPrompt": add_generation_prompt,
                "prompt": prompt,
                "inputIds": [int(i) for i in ids[0]],
            })
    return rows


def make_sentencepiece():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)], show_progress=False,
        limit_alphabet=80, max_token_length=8,
    )
    tokenizer.train_from_iterator([line for line in TEXTS if line.isascii()] * 2, trainer)
    state = json.loads(tokenizer.to_str())
    # Training wants the bytes as special tokens; SentencePiece has them as ordinary ones.
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens([AddedToken("<image>", special=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def dump(path, head, **lists):
    """One line per record: small diffs when something is recorded again."""
    body = [f'  "{key}": {json.dumps(value)}' for key, value in head.items()]
    for key, rows in lists.items():
        body.append(f'  "{key}": [\n    ' + ",\n    ".join(json.dumps(row) for row in rows) + "\n  ]")
    path.write_text("{\n" + ",\n".join(body) + "\n}\n")
    print(path.name, {key: len(rows) for key, rows in lists.items()}, path.stat().st_size, "bytes")


def main():
    model = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL
    folder = GOLDEN / "text"
    (folder / "sentencepiece").mkdir(parents=True, exist_ok=True)
    head = {"recordedWith": f"transformers {__version__}"}

    processor = load_processor(model)
    tokenizer = processor.tokenizer
    dump(
        folder / "fovea-mini.json", head,
        texts=record_texts(lambda t: tokenizer(t)["input_ids"], lambda ids: tokenizer.decode(ids, skip_special_tokens=True)),
        chats=record_chats(processor),
    )

    pieces = make_sentencepiece()
    pieces.save(str(folder / "sentencepiece" / "tokenizer.json"), pretty=False)
    (folder / "sentencepiece" / "tokenizer_config.json").write_text('{ "bos_token": "<s>", "eos_token": "</s>" }\n')
    dump(
        folder / "sentencepiece.json", head,
        texts=record_texts(lambda t: pieces.encode(t).ids, lambda ids: pieces.decode(ids, skip_special_tokens=True)),
    )


main()
