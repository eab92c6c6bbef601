"""The environment with PyTorch, Keras and TensorFlow, and the programs that tests run in it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment() -> Path:
    """Its folder: $OPTGRID_PEERS, else `.venv-peers`; the calling test fails where there is none."""
    folder = Path(os.environ.get("OPTGRID_PEERS") or ROOT / ".venv-peers")
    if not (folder / "bin/python").exists():
        pytest.fail(f"there is no environment of the peers at {folder}; run: make peers", pytrace=False)
    return folder
