"""Records next-token distributions of transformers' logits processors for native/test/test_sample.cc.

Run: python test/golden/record/sample.py   (recorded with torch 2.13.0, transformers 5.18.0)
Writes test/golden/sample/distributions.json: per case the sampling options, the logits (vocab), the ids that the
repetition penalty sees, and the probabilities (vocab) that transformers draws from; 0 where a filter removed the id.
"""

import json
from pathlib import Path

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

VOCAB = 40
CASES = [
    {},
    {"temperature": 0.7},
    {"temperature": 1.6},
    {"topK": 5},
    {"topK": 1},
    {"topP": 0.9},
    {"topP": 0.3},
    {"minP": 0.1},
    {"repetitionPenalty": 1.5},
    {"repetitionPenalty": 0.8, "temperature": 1.2},
    {"temperature": 0.8, "topK": 12, "topP": 0.8},
    {"temperature": 1.3, "topK": 20, "topP": 0.95, "minP": 0.08, "repetitionPenalty": 1.2},
]


def distribution(options, logits, seen):
    """The probabilities (vocab) after the processors, in the order in which `generate` applies them."""
    processors = LogitsProcessorList()
    if "repetitionPenalty" in options:
        processors.append(RepetitionPenaltyLogitsProcessor(options["repetitionPenalty"]))
    if "temperature" in options:
        processors.append(TemperatureLogitsWarper(options["temperature"]))
    if "topK" in options:
        processors.append(TopKLogitsWarper(options["topK"]))
    if "topP" in options:
        processors.append(TopPLogitsWarper(options["topP"]))
    if "minP" in options:
        processors.append(MinPLogitsWarper(options["minP"]))
    return processors(seen[None], logits[None].clone()).softmax(-1)[0]


def main():
    generator = torch.Generator().manual_seed(7)
    cases = []
    for options in CASES:
        logits = (torch.randn(VOCAB, generator=generator) * 2).round(decimals=3)
        logits[3] = logits[11] = logits.topk(5).values[-1]  # a tie at the fifth place
        seen = torch.randint(0, VOCAB, (10,), generator=generator)
        probabilities = distribution(options, logits, seen)
        cases.append(
            {
                "options": options,
                "seen": seen.tolist(),
                "logits": [round(x, 3) for x in logits.tolist()],
                "probabilities": [round(x, 7) for x in probabilities.tolist()],
            }
        )
    folder = Path(__file__).resolve().parents[1] / "sample"
    folder.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (folder / "distributions.json").write_text(f'{{"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
