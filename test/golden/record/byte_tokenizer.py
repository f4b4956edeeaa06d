"""A tokenizer of bytes as GPT-2 writes them, and special tokens."""

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


def byte_tokenizer(special, **named):
    """special: begin, end, then the others. named: further tokens by the name that a processor asks them by."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=special[0], eos_token=special[1], pad_token=special[0],
        additional_special_tokens=[AddedToken(token, special=True) for token in special[2:]], model_max_length=1024,
        **named,
    )  # fmt: skip
