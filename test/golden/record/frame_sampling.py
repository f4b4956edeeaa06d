"""Which frames transformers' video processors see, and how large they make them, for many lengths and settings."""

import json

import torch
import transformers

from common import GOLDEN

T = transformers
KINDS = {
    "qwen2_vl": (T.Qwen2VLVideoProcessor, dict()),
    "qwen3_vl": (T.Qwen3VLVideoProcessor, dict()),
    "qwen2_vl capped": (T.Qwen2VLVideoProcessor, dict(cap_pixels_per_frame=True, max_video_tokens=40)),
    "qwen3_vl capped": (T.Qwen3VLVideoProcessor, dict(cap_pixels_per_frame=True, max_video_tokens=200)),
    "smolvlm": (T.models.smolvlm.video_processing_smolvlm.SmolVLMVideoProcessor,
                dict(video_sampling=dict(fps=1, max_frames=64, video_size=dict(longest_edge=512)))),
}  # fmt: skip
LENGTHS = [(2, 1.0), (5, 24.0), (7, 10.0), (49, 25.0), (240, 30.0), (997, 29.97), (4000, 12.5)]
OPTIONS = [dict(fps=2), dict(fps=0.7), dict(num_frames=4), dict(num_frames=30)]
SIZES = [(2, 320, 240), (5, 100, 700), (6, 41, 33), (16, 640, 360)]


def sample(kind, videos, frames, fps, options):
    if kind.startswith("qwen"):
        videos.fps = None if "num_frames" in options else videos.fps
    metadata = T.video_utils.VideoMetadata(total_num_frames=frames, fps=fps, duration=frames / fps)
    given = options | (dict(num_frames=videos.num_frames) if kind == "smolvlm" and "fps" in options else {})
    try:
        return [int(i) for i in videos.sample_frames(metadata, **given)]
    except ValueError:
        return None


def record():
    samples, sizes = [], []
    for kind, (make, settings) in KINDS.items():
        for frames, fps in LENGTHS:
            for options in OPTIONS:
                if "capped" not in kind:
                    samples.append(dict(kind=kind, frames=frames, fps=fps, options=options,
                                        seen=sample(kind, make(**settings), frames, fps, options)))  # fmt: skip
        for frames, width, height in SIZES:
            if kind != "smolvlm":
                videos = make(**settings)
                patches = torch.zeros(1, frames, 3, height, width, dtype=torch.uint8)
                resized = videos.resize(patches, videos.size, videos.resample, factor=2 * videos.patch_size,
                                        temporal_factor=2, cap_pixels_per_frame=videos.cap_pixels_per_frame or False)
                sizes.append(dict(kind=kind, frames=frames, width=width, height=height, to=list(resized.shape[-2:])))
    return {"settings": {kind: settings for kind, (_, settings) in KINDS.items()}, "samples": samples, "sizes": sizes}


if __name__ == "__main__":
    recorded = record()
    lines = ["{", f'  "settings": {json.dumps(recorded["settings"])},']
    for name, end in (("samples", ","), ("sizes", "")):
        lines += [f'  "{name}": [', ",\n".join(f"    {json.dumps(item, separators=(',', ':'))}" for item in recorded[name]), f"  ]{end}"]
    (GOLDEN / "video" / "sampling.json").write_text("\n".join([*lines, "}"]) + "\n")
