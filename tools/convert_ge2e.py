"""Convert the GE2E speaker encoder of resemblyzer 0.1.4 to the safetensors file we package.

Run by hand, once, on the wheel as published on PyPI (it need not be installed)::

    pip download --no-deps resemblyzer==0.1.4
    python tools/convert_ge2e.py Resemblyzer-0.1.4-py3-none-any.whl

It reads ``resemblyzer/pretrained.pt`` (weights only, no code is executed), keeps the LSTM and the
linear layer in float32, drops the optimizer's state and the two scalars of the training loss, and
writes ``ge2e.safetensors`` and the wheel's license text into the package's data folder.

float32 and not float16: rounded to float16, the embeddings are up to 1.3e-3 away from
resemblyzer's (see ``docs/development/decisions/feature-extraction.md``), and the promise is 1e-5.
"""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save

DATA = Path(__file__).resolve().parents[1] / "sklearn_ser" / "feature_extraction" / "data"
CHECKPOINT = "resemblyzer/pretrained.pt"
LICENSE = "Resemblyzer-0.1.4.dist-info/LICENSE"
CHECKPOINT_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
KEPT_PREFIXES = ("lstm.", "linear.")


def convert(wheel, folder):
    """Write ge2e.safetensors and LICENSE-ge2e.txt into `folder`; return the number of weights."""
    with zipfile.ZipFile(wheel) as archive:
        checkpoint_bytes = archive.read(CHECKPOINT)
        license_text = archive.read(LICENSE).decode("utf-8").replace("\r\n", "\n")
    found = hashlib.sha256(checkpoint_bytes).hexdigest()
    if found != CHECKPOINT_SHA256:
        raise SystemExit(f"{CHECKPOINT} has SHA-256 {found}, expected {CHECKPOINT_SHA256}")
    checkpoint = torch.load(io.BytesIO(checkpoint_bytes), map_location="cpu", weights_only=True)
    weights = {
        name: tensor.to(torch.float32).contiguous()
        for name, tensor in checkpoint["model_state"].items()
        if name.startswith(KEPT_PREFIXES)
    }
    folder.mkdir(parents=True, exist_ok=True)
    origin = {
        "source": "resemblyzer 0.1.4, resemblyzer/pretrained.pt",
        "source_sha256": found,
        "license": "Apache-2.0",
    }
    (folder / "ge2e.safetensors").write_bytes(save(weights, metadata=origin))
    (folder / "LICENSE-ge2e.txt").write_text(license_text, encoding="utf-8")
    return sum(tensor.numel() for tensor in weights.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="Resemblyzer-0.1.4-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=DATA, help="folder (default: package data)")
    arguments = parser.parse_args()
    n_weights = convert(arguments.wheel, arguments.out)
    print(f"{n_weights} weights written to {arguments.out / 'ge2e.safetensors'}")


if __name__ == "__main__":
    main()
