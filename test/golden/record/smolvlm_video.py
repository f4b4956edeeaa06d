"""What transformers makes of qwen_video.py's clip for the tiny SmolVLM2 checkpoint of idefics3.py."""

import numpy as np
import torch
import transformers
from PIL import Image, ImageSequence

from common import GOLDEN, GoldenWriter
from surgery import answer_of, cut_logits, halve

FOLDER, OUT = GOLDEN / "idefics3" / "smolvlm", GOLDEN / "video"
CUT = 2
# fps: of the clip, as a caller may say it; the others as the processor takes them
CASES = {
    "usual": dict(clip_fps=2),
    "few": dict(clip_fps=0.5, num_frames=4),
    "slow": dict(clip_fps=2, fps=0.5),
    "long": dict(clip_fps=0.0001, num_frames=3),  # hours
}
WORDS = {2: "two", 3: "three", 4: "four"}


def record(golden):
    kinds = transformers.models.smolvlm
    kinds.processing_smolvlm.num2words = WORDS.__getitem__  # the package is another way to write these three words
    model = transformers.SmolVLMForConditionalGeneration.from_pretrained(
        FOLDER, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    images = transformers.SmolVLMImageProcessor.from_pretrained(FOLDER)
    videos = kinds.video_processing_smolvlm.SmolVLMVideoProcessor.from_pretrained(FOLDER)
    processor = kinds.processing_smolvlm.SmolVLMProcessor(images, tokenizer, videos, image_seq_len=4)
    with Image.open(OUT / "clip.gif") as file:
        frames = np.stack([np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)])
    cases = []
    for number, (case, options) in enumerate(CASES.items()):
        options = dict(options)
        fps = options.pop("clip_fps")
        content = [{"type": "video"}, {"type": "text", "text": "\nWhat is it?"}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        metadata = transformers.video_utils.VideoMetadata(
            total_num_frames=len(frames), fps=fps, duration=len(frames) / fps, frames_indices=list(range(len(frames)))
        )
        inputs = processor(text=prompt, videos=[[frames]], video_metadata=[metadata], do_sample_frames=True,
                           return_tensors="pt", **({"num_frames": videos.num_frames, "fps": videos.fps} | options))  # fmt: skip
        ids, pixels = inputs["input_ids"], inputs["pixel_values"].float()
        golden.add(f"{case}.input_ids", ids)
        cases.append({"case": case, "fps": fps, "frames": pixels.shape[1]})
        if case == "usual":
            levels = (pixels[0] * 0.5 + 0.5) * 255
            assert (levels - levels.round()).abs().max() < 1e-3
            golden.add(f"{case}.levels", levels.round().to(torch.uint8))
            out = model.model.get_image_features(pixels)
            golden.add(f"{case}.projected", out.pooler_output)
            full = model(input_ids=ids, pixel_values=pixels).logits
            golden.add(f"{case}.logits", full[0, -2:])
            embeds = model.get_input_embeddings()(ids)
            visual = ids[0] == model.config.image_token_id
            embeds[0, visual] = out.pooler_output.reshape(-1, embeds.shape[-1])
            everything, decoder = torch.arange(ids.shape[1]), model.model.text_model
            whole = cut_logits(decoder, model.lm_head, embeds, everything, CUT)
            assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
            places, rows = halve(everything[visual].split(4), torch.Generator().manual_seed(number))
            golden.add(f"{case}.kept", torch.stack(places))
            kept = torch.cat([everything[~visual], rows]).sort().values
            golden.add(f"{case}.cut", cut_logits(decoder, model.lm_head, embeds, kept, CUT))
            cases[-1]["text"] = answer_of(model, processor, {"input_ids": ids, "pixel_values": pixels}, 32)
    return cases


if __name__ == "__main__":
    golden = GoldenWriter(OUT, "smolvlm")
    golden.write({"cutLayer": CUT, "cases": record(golden)})
