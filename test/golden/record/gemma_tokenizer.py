"""A small tokenizer of Gemma's kind: pieces with a mark for spaces, bytes for what is unknown, newlines that stick together."""

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def gemma_tokenizer(**named):
    """named: further tokens by the name that a processor asks them by."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "\n", "▁"]
    pieces += [chr(code) for code in range(33, 127)]
    merges = [("t", "h"), ("▁", "i"), ("▁i", "s"), ("▁", "th")]
    pieces += [a + b for a, b in merges]
    backend = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges, unk_token="<unk>",
                                   fuse_unk=True, byte_fallback=True))  # fmt: skip
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    backend.add_tokens([AddedToken("\n" * n, normalized=False) for n in (2, 3)])
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in pieces[:4]])
    backend.add_special_tokens([AddedToken(f"<{end}_of_turn>", special=True, normalized=False) for end in ("start", "end")])
    backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=1024, **named,
    )  # fmt: skip
