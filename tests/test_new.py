"""`optgrid new`: the file that an optimizer starts from."""

import ast
from pathlib import Path

import jax.numpy as jnp
import pytest

import optimizers
from bench import checks
from bench.__main__ import main
from bench.commands.new import TAKEN, template


def test_a_new_optimizer_is_sound_and_descends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "my_opt", "--out", str(tmp_path / "ideas")]) == 0
    path = tmp_path / "ideas" / "my_opt.py"
    assert f"optgrid check {path}\n  make compare OPT={path}\n" in capsys.readouterr().out
    made = optimizers.get(str(path))
    assert (made.name, set(made.space)) == ("my_opt", {"learning_rate", "momentum"})
    assert not [finding for finding in checks.check(made, strict=True) if finding.problem]
    transform, momentum = made.make(learning_rate=0.5), optimizers.get("momentum").make(learning_rate=0.5)
    state, other = transform.init(jnp.ones(2)), momentum.init(jnp.ones(2))
    for gradient in (1.0, -2.0, 0.5):
        updates, state = transform.update(jnp.full(2, gradient), state)
        expected, other = momentum.update(jnp.full(2, gradient), other)
        assert updates.tolist() == expected.tolist()


def test_the_template_is_short_and_as_code_here_is_written(tmp_path: Path) -> None:
    text = template("my_opt")
    assert 40 <= len(text.splitlines()) <= 55
    assert max(map(len, text.splitlines())) <= 120
    assert "class MyOptState(NamedTuple)" in text
    assert "NAME" not in text.replace("NamedTuple", "")
    assert "STATE" not in text
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    used = {alias.name for node in nodes for alias in node.names if alias.name.islower()}
    assert used | {"optimizer"} == TAKEN


def test_a_file_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my_opt.py").write_text("mine")
    assert main(["new", "my_opt", "--out", str(tmp_path)]) == 2
    assert "my_opt.py is there already and stays as it is" in capsys.readouterr().err
    assert (tmp_path / "my_opt.py").read_text() == "mine"
    assert main(["new", "other", "--out", str(tmp_path / "my_opt.py")]) == 2
    assert "my_opt.py is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MyOpt", "'MyOpt' cannot be an optimizer's name; take lower snake case, as in my_opt"),
        ("my-opt", "cannot be an optimizer's name"),
        ("my opt", "cannot be an optimizer's name"),
        ("../mine", "cannot be an optimizer's name"),
        ("mine.py", "cannot be an optimizer's name"),
        ("_mine", "cannot be an optimizer's name"),
        ("2nd", "cannot be an optimizer's name"),
        ("", "cannot be an optimizer's name"),
        ("lambda", "cannot be an optimizer's name"),
        ("optimizer", "cannot be an optimizer's name"),
        ("log_uniform", "cannot be an optimizer's name"),
        ("adam", "the catalogue has adam already"),
        ("ema", "the catalogue has ema already"),
        ("jax", "jax is a Python module's name"),
        ("json", "json is a Python module's name"),
    ],
)
def test_bad_names_are_refused(name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--out", str(tmp_path), "--", name]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
