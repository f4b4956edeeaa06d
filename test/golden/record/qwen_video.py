"""What transformers makes of a short video for the tiny Qwen-VL checkpoints of qwen_vl.py: all frames, some, and a picture too.

The logits with half of the visual rows gone are recorded as in qwen_vl.py.
"""

import numpy as np
import torch
import transformers
from PIL import Image

from common import GOLDEN, GoldenWriter
from pictures import clip, picture
from qwen_vl import CUT, FOLDER, MODELS, cut_logits, moved_up, starts_of

OUT = GOLDEN / "video"
SIZE, FRAMES, DELAY = (40, 26), 7, 100  # odd, so that the last frame is seen twice; milliseconds
PICTURE = (19, 49)
CASES = {
    "usual": dict(),
    "sampled": dict(fps=5),
    "spread": dict(num_frames=6),
    "both": dict(picture=True),
}


def write_clip():
    """The same frames as GIF and as lossless animated WebP, and as they decode."""
    frames = clip(SIZE, FRAMES, 11)
    rest = dict(save_all=True, append_images=frames[1:], duration=DELAY, loop=0)
    frames[0].save(OUT / "clip.gif", **rest)
    decoded = [frame.convert("RGB") for frame in frames]
    decoded[0].save(OUT / "clip.webp", save_all=True, append_images=decoded[1:], duration=DELAY, lossless=True)
    for name in ("clip.gif", "clip.webp"):
        with Image.open(OUT / name) as file:
            assert file.n_frames == FRAMES
            for i, frame in enumerate(decoded):
                file.seek(i)
                assert (np.array(file.convert("RGB")) == np.array(frame)).all(), name
    return decoded


def levels(pixels, grid, videos):
    """Patches (t * h * w, 3 * 2 * p * p) as the bytes of their frames (2 * t, 3, height, width)."""
    t, h, w = grid
    p = videos.patch_size
    frames = pixels.reshape(t, h // 2, w // 2, 2, 2, 3, 2, p, p).permute(0, 6, 5, 1, 3, 7, 2, 4, 8)
    frames = frames.reshape(t * 2, 3, h * p, w * p)
    mean, std = (torch.tensor(v)[:, None, None] for v in (videos.image_mean, videos.image_std))
    bytes_ = (frames * std + mean) * 255
    assert (bytes_ - bytes_.round()).abs().max() < 1e-3
    return bytes_.round().to(torch.uint8)


def record(name, o, number, golden, frames):
    folder = FOLDER / name
    model = o["model"].from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    processor = o["processor"].from_pretrained(folder)
    tall = picture(PICTURE, 1)  # as qwen_vl.py saved it
    usual_fps, cases = processor.video_processor.fps, []
    for place, (case, options) in enumerate(CASES.items()):
        options = dict(options)
        processor.video_processor.fps = None if "num_frames" in options else usual_fps
        pictures = [tall] if options.pop("picture", False) else []
        content = [{"type": "image"}] * len(pictures) + [{"type": "video"}, {"type": "text", "text": "What is it?"}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        sampling = dict(do_sample_frames=True) if options else {}
        metadata = transformers.video_utils.VideoMetadata(total_num_frames=FRAMES, fps=1000 / DELAY, duration=FRAMES * DELAY / 1000,
                                 frames_indices=list(range(FRAMES)))  # fmt: skip
        inputs = processor(text=prompt, images=pictures or None, videos=[np.stack([np.array(f) for f in frames])],
                           video_metadata=[metadata], return_tensors="pt", **sampling, **options)  # fmt: skip
        ids, grid = inputs["input_ids"], inputs["video_grid_thw"]
        golden.add(f"{case}.input_ids", ids)
        golden.add(f"{case}.grid", grid[0])
        if case in ("usual", "sampled"):
            golden.add(f"{case}.levels", levels(inputs["pixel_values_videos"], grid[0].tolist(), processor.video_processor))
        seconds = inputs.get("second_per_grid_ts")
        positions, _ = model.model.get_rope_index(
            ids, inputs["mm_token_type_ids"], image_grid_thw=inputs.get("image_grid_thw"), video_grid_thw=grid,
            **({} if seconds is None else {"second_per_grid_ts": seconds}),
        )  # fmt: skip
        positions = positions[:, 0]
        golden.add(f"{case}.positions", positions)
        if case == "spread":  # is here for its choice of frames
            cases.append({"case": case, "pictures": 0})
            continue
        seen = [model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])] if pictures else []
        seen.append(model.model.get_video_features(inputs["pixel_values_videos"], grid))
        projected = torch.cat([rows for part in seen for rows in part.pooler_output])
        if case != "sampled":
            golden.add(f"{case}.projected", projected)
        full = model(**inputs).logits
        golden.add(f"{case}.logits", full[0, -2:])

        embeds = model.get_input_embeddings()(ids)[0]
        visual = (ids[0] == model.config.image_token_id) | (ids[0] == model.config.video_token_id)
        embeds[visual] = projected
        planes = []
        for layers in zip(*[getattr(part, "deepstack_features", None) or [] for part in seen]):
            planes.append(torch.zeros_like(embeds))
            planes[-1][visual] = torch.cat([rows for layer in layers for rows in layer])
        everything = torch.arange(ids.shape[1])
        assert (moved_up(positions, visual, starts_of(positions, visual)) == positions).all()
        whole = cut_logits(model, embeds, positions, planes, visual, everything)
        assert (whole - full[0, -1]).abs().max() < 1e-4 * full.abs().max(), "the surgery changes nothing by itself"
        t, *plane = grid[0].tolist()
        rows = plane[0] * plane[1] // 4
        counts = [int(inputs["image_grid_thw"].prod()) // 4] if pictures else []
        counts += [rows] * t if name == "qwen3_vl" else [rows * t]
        generator = torch.Generator().manual_seed(10 * number + place)
        places = [torch.randperm(n, generator=generator)[: n // 2].sort().values for n in counts]
        golden.add(f"{case}.kept", torch.cat(places))
        spans = everything[visual].split(counts)
        kept = torch.cat([everything[~visual], *[span[p] for span, p in zip(spans, places)]]).sort().values
        golden.add(f"{case}.cut", cut_logits(model, embeds, positions, planes, visual, kept))
        golden.add(f"{case}.cut_compact", cut_logits(model, embeds, positions, planes, visual, kept, compact=True))
        answer = model.generate(**inputs, do_sample=False, max_new_tokens=32, pad_token_id=0)[0, ids.shape[1] :]
        answer = [token for token in answer.tolist() if token != processor.tokenizer.eos_token_id]
        spoken = processor.tokenizer.decode(answer, skip_special_tokens=True)
        cases.append({"case": case, "pictures": len(pictures), "rows": counts, "tokens": len(answer), "text": spoken})
    return cases


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    frames = write_clip()
    for number, (name, o) in enumerate(MODELS.items()):
        golden = GoldenWriter(OUT, name)
        cases = record(name, o, number, golden, frames)
        golden.write({"cutLayer": CUT, "cases": cases})
