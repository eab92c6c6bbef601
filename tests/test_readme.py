"""What the README shows works as it stands."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

import optimizers
from bench import tasks

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(words: str) -> str:
    """The Python block of the README that has the words in it."""
    return next(code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if words in code)


def test_the_optimizer_in_the_readme_is_one(tmp_path: Path) -> None:
    (tmp_path / "signed.py").write_text(block("def signed"))
    optimizer = optimizers.get(str(tmp_path / "signed.py"))
    tx = optimizer.make(learning_rate=0.1)
    updates, _ = tx.update(jnp.array([2.0, -3.0]), tx.init(jnp.zeros(2)))
    assert updates == pytest.approx([-0.1, 0.1])


def test_the_task_in_the_readme_is_a_short_one(tmp_path: Path) -> None:
    code = block("noisy_quadratic")
    assert len(code.splitlines()) <= 20
    (tmp_path / "mine.py").write_text(code)
    task = tasks.get(str(tmp_path / "mine.py"))
    told = task.build().evaluate(jnp.ones(8), task.data().evaluation)
    assert float(told["train"]["loss"]) == pytest.approx(float((10.0 ** jnp.linspace(0, 2, 8)).sum() / 2))


def test_every_file_that_the_readme_names_is_there() -> None:
    for path in re.findall(r"\]\(([\w/.]+)\)", README):
        assert (Path(__file__).parent.parent / path).is_file(), path


def test_the_catalogue_in_the_readme_is_the_catalogue() -> None:
    section = README.split("## The catalogue")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == optimizers.names()
    assert re.findall(r"`(\w+)`", section.split("They are")[1]) == optimizers.wrapper_names()
