"""What every recording script shares: deterministic torch, the golden file format, the embedded model."""

import json
import pathlib

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "test" / "golden"
MODEL = ROOT / "model" / "fovea-mini"


def _allow_pure_python_torchvision():
    """Lets torchvision import although its binary operators do not load (a CUDA wheel beside a CPU torch).

    Only its resize is needed, and that calls torch's own interpolation.
    """
    real = torch.library.register_fake

    def register_fake(op, *args, **kwargs):
        if str(op).startswith("torchvision::"):
            return lambda function: function
        return real(op, *args, **kwargs)

    torch.library.register_fake = register_fake
    try:
        import torchvision  # noqa: F401
    finally:
        torch.library.register_fake = real


_allow_pure_python_torchvision()

import transformers  # noqa: E402

transformers.utils.logging.disable_progress_bar()
torch.set_grad_enabled(False)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.manual_seed(0)


class GoldenWriter:
    """Collects arrays into <name>.bin and everything else into <name>.json; lib-side twin: test/golden/read-golden.ts."""

    DTYPES = {"float32": "f32", "float16": "f16", "uint8": "u8", "int32": "i32"}

    def __init__(self, folder, name):
        self.folder, self.name = pathlib.Path(folder), name
        self.tensors, self.chunks, self.size = {}, [], 0

    def add(self, name, array):
        """Stores an array under a name; int64 becomes i32, everything else keeps its type."""
        array = array.numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
        if array.dtype == np.int64:
            array = array.astype(np.int32)
        assert name not in self.tensors, name
        if array.dtype.kind == "f":
            assert np.isfinite(array).all(), name
        data = np.ascontiguousarray(array).tobytes()
        data += bytes(-len(data) % 8)
        self.tensors[name] = {"dtype": self.DTYPES[array.dtype.name], "shape": list(array.shape), "offset": self.size}
        self.chunks.append(data)
        self.size += len(data)

    def write(self, meta):
        """One line per tensor and per record: small diffs when something is recorded again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{self.name}.bin").write_bytes(b"".join(self.chunks))
        head = {"recordedWith": f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}"}
        parts = [f'  "{key}": {_dump(value)}' for key, value in {**head, **meta, "tensors": self.tensors}.items()]
        (self.folder / f"{self.name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
        print(f"{self.folder.name}/{self.name}: {self.size} bytes, {len(self.tensors)} tensors")


def _dump(value):
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n    " + ",\n    ".join(json.dumps(item) for item in value) + "\n  ]"
    if isinstance(value, dict):
        return "{\n    " + ",\n    ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n  }"
    return json.dumps(value)


def load_llava(folder):
    """A checkpoint as transformers reads it, in f32 with plain matmul-softmax-matmul attention."""
    model, info = transformers.LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    # A tensor that was not found is filled at random: such a model would record nonsense.
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return model.eval()


def load_processor(folder=MODEL):
    return transformers.AutoProcessor.from_pretrained(folder)


def margin(scores, keep):
    """Lead of the last score kept over the first one dropped, as a share of it; infinite when nothing is dropped."""
    ordered = torch.sort(scores, descending=True).values
    return float("inf") if keep >= len(ordered) else float(1 - ordered[keep] / ordered[keep - 1])
