"""Records again everything that hangs on the weights of model/fovea-mini, one recorder after another.

    python test/golden/record/all_embedded.py [part of a name …]

With arguments only the recorders whose path holds one of them. A recorder that fails, because too few prompts are free of
near-ties under the new weights, is named at the end, and the others run all the same.
"""

import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = ["embedded", "pyramid_drop", "skip", "depth", "decode_depth"]  # others know tiny checkpoints of their own


def recorders():
    """Scripts; a module that only helps others has no main part."""
    scripts = [HERE / f"{name}.py" for name in PLAIN]
    scripts += [path for folder in ("methods", "kv") for path in sorted((HERE / folder).glob("*.py"))]
    return [path for path in scripts if "__main__" in path.read_text()]


def main():
    wanted = sys.argv[1:]
    chosen = [path for path in recorders() if not wanted or any(part in str(path.relative_to(HERE)) for part in wanted)]
    start, failed = time.monotonic(), []
    for path in chosen:
        began = time.monotonic()
        done = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        name = path.relative_to(HERE)
        print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
        print("".join(f"          {line}\n" for line in done.stdout.splitlines()[-3:]), end="", flush=True)
        if done.returncode != 0:
            failed.append(str(name))
    print(f"{len(chosen) - len(failed)} of {len(chosen)} recorders in {(time.monotonic() - start) / 60:.1f} minutes")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
