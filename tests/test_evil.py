"""Eight optimizers that do all they should not, among two good ones: the good are done, the evil named, in time."""

import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import bench
from bench import machine, records

ASKED = {"tasks": ["diabetes"], "replicates": 2, "trials": 2, "seeds": 2, "steps": 20}
TIMEOUT = 25.0

HEAD = "import os, signal, sys, time\nimport jax\nimport jax.numpy as jnp\nimport numpy as np\nimport optax\n\n\n"


def rule(name: str, body: str) -> str:
    """A file with an optimizer whose update does `body` first."""
    lines = [
        *(f"def {name}(learning_rate=0.1):", "    def update(updates, state, params=None):"),
        textwrap.indent(textwrap.dedent(body).strip(), " " * 8),
        "        return jax.tree.map(lambda g: -learning_rate * g, updates), state",
        "",
        "    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)",
    ]
    return HEAD + "\n".join(lines) + "\n"


EVIL = {
    "raises": (rule("raises", "raise RuntimeError('by design')"), "RuntimeError: by design"),
    "hangs_in_step": (
        rule(
            "hangs_in_step",
            """
            busy = jax.lax.while_loop(lambda x: x < 1, lambda x: x * 0.5, jnp.float32(0.1))
            updates = jax.tree.map(lambda g: g + busy, updates)
            """,
        ),
        "stopped after 25 s; --timeout allows more",
    ),
    "hangs_in_compile": (rule("hangs_in_compile", "while True: pass"), "stopped after 25 s; --timeout allows more"),
    "eats_memory": (
        rule("eats_memory", "held = []\nwhile True: held.append(bytearray(10**7))"),
        "--memory allows more",
    ),
    "leaves": (rule("leaves", "sys.exit(3)"), "its code ended the process: exit(3)"),
    "kills": (rule("kills", "os.kill(os.getpid(), signal.SIGKILL)"), "was ended by SIGKILL"),
    "wrong_dtype": (
        rule("wrong_dtype", "return jax.tree.map(lambda g: g.astype(jnp.float16), updates), state"),
        "float16",
    ),
    "writes": (rule("writes", "open('left_behind.txt', 'w').write('mine')"), "wrote left_behind.txt"),
}
NANS = rule("nans", "updates = jax.tree.map(lambda g: g * jnp.nan, updates)")


@pytest.mark.slow
def test_evil_optimizers_cost_their_own_cells_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (source, _) in EVIL.items():
        (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "nans.py").write_text(NANS)
    before = {path.name for path in tmp_path.iterdir()}
    begin = time.monotonic()
    optimizers = ["sgd", *(f"{name}.py" for name in EVIL), "nans.py", "adam"]
    found = bench.run(
        "smoke", optimizers=optimizers, out="run", timeout=TIMEOUT, memory=2 * machine.LEAST, timed=False, **ASKED
    )
    assert time.monotonic() - begin < 30 + TIMEOUT * len(EVIL)
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}  # which Python itself keeps
    assert left == before | {"run"}
    assert {unit.meta["optimizer"] for unit in found.units} == {"sgd", "adam", "nans"}
    failed = found.manifest["failed"]
    assert sorted(failed) == sorted(f"diabetes--{name}--r0{r}" for name in EVIL for r in range(2))
    for name, (_, words) in EVIL.items():
        for replicate in range(2):
            assert words in failed[f"diabetes--{name}--r0{replicate}"]
    assert all((unit.arrays["search/diverged"] >= 0).all() for unit in found.of("nans"))  # recorded as what it is
    alone = bench.run("smoke", optimizers=["sgd", "adam"], out="alone", timed=False, **ASKED)
    for unit in alone.units:
        twin = records.read(records.unit_file(found.folder, unit.name))
        for array, values in unit.arrays.items():
            np.testing.assert_array_equal(values, twin.arrays[array])
