"""The embedded model as transformers runs it: pixels, vision features, projected rows, logits, greedy answers."""

import torch

from common import GOLDEN, GoldenWriter, MODEL, load_llava, load_processor
from prompts import ask, conversation, digests, greedy, questions, spread, to_inputs

PER_KIND = 12  # greedy answers per kind of question
MAX_NEW_TOKENS = 32


def tapped_prompts():
    """Four pictures whose way through the model is stored."""
    items = questions()
    return [items[i * len(items) // 4] for i in range(4)]


def special_prompts():
    items = questions()
    first, second = items[0]["image"], items[len(items) // 3]["image"]
    return [
        ("two images", ask(first, second, text="How many objects are there?")),
        ("two images, other order", ask(second, first, text="What color is the background?")),
        ("text only", ask(text="What color is the sky?")),
        ("two turns", conversation(first, "What color is the background?", "purple", "How many objects are there?")),
        ("two turns of text", conversation_of_text()),
    ]  # fmt: skip


def conversation_of_text():
    return [*ask(text="Is there a dog in the image?"), {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
            *ask(text="How many dogs are there?")]  # fmt: skip


def record_taps(model, processor, question, index, golden):
    """One picture: pixels as bytes, features, projected rows, logits."""
    messages = ask(question["image"], text=question["question"])
    inputs = to_inputs(processor, messages)
    pixels = inputs["pixel_values"]
    mean, std = (torch.tensor(v)[:, None, None] for v in (processor.image_processor.image_mean, processor.image_processor.image_std))
    config = model.config
    seen = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[config.vision_feature_layer]
    features = seen[:, 1:] if config.vision_feature_select_strategy == "default" else seen
    projected = model.model.multi_modal_projector(features)
    logits = model(**inputs).logits
    # Half precision keeps 11 bits: at most half of what the test allows. The first picture is kept in full.
    full = index == 0
    golden.add(f"{index}.pixels", ((pixels[0] * std + mean) * 255).round().to(torch.uint8))
    golden.add(f"{index}.features", features[0] if full else features[0].half())
    golden.add(f"{index}.projected", projected[0] if full else projected[0].half())
    golden.add(f"{index}.input_ids", inputs["input_ids"])
    golden.add(f"{index}.logits", logits[0] if full else logits[0, -1:])
    return {"messages": messages}


def record_special(model, processor, name, messages, golden):
    inputs = to_inputs(processor, messages)
    golden.add(f"{name}.input_ids", inputs["input_ids"])
    golden.add(f"{name}.logits", model(**inputs).logits[0, -1:])
    return {"name": name, "messages": messages, **greedy(model, processor, inputs, MAX_NEW_TOKENS)}


def record_answer(model, processor, question):
    messages = ask(question["image"], text=question["question"])
    return {
        "id": question["id"], "kind": question["kind"], "messages": messages,
        **greedy(model, processor, to_inputs(processor, messages), MAX_NEW_TOKENS),
    }  # fmt: skip


def main():
    model, processor = load_llava(MODEL), load_processor()
    golden = GoldenWriter(GOLDEN / "embedded", "embedded")
    taps = [record_taps(model, processor, q, i, golden) for i, q in enumerate(tapped_prompts())]
    special = [record_special(model, processor, name, messages, golden) for name, messages in special_prompts()]
    answers = [record_answer(model, processor, question) for question in spread(PER_KIND)]
    golden.write({"pictures": digests([*taps, *special, *answers]), "taps": taps, "special": special, "answers": answers})
    print(f"{len(answers)} answers, smallest lead of a token {min(a['lead'] for a in answers)}")


if __name__ == "__main__":
    main()
