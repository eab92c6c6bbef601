"""Every optimizer of the catalogue against its oracle, against independent packages, and against what all must hold.

Nothing here names an optimizer: a new file in `optimizers/` is tested by being there, and fails until it has an
oracle and a golden file. Properties of single rules are in test_properties_*.py.
"""

import ast
import io
import tokenize
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from bench import catalogue, checks, suites
from tests import oracles
from tests.closed_loop import (
    GOLDEN,
    ORACLE,
    Setting,
    closed_loop,
    completed,
    differences,
    from_oracle,
    from_peer,
    read_golden,
    tolerance,
)
from tests.golden import make as golden
from tests.gradients import SEED, flat
from tests.verify import evidence

NAMES = optimizers.names()


def case(name: str, setting: Setting, *values: Any, label: str = "") -> Any:
    """A test's parameters: of an optimizer of the default grid, in the program of its defaults, or slow.

    What is not compared anew in every run of the tests is held by the record of the last check, which is of this code.
    """
    quick = name in suites.DEFAULT and completed(name, setting)[1] == completed(name, {})[1]
    marks = [] if quick else [pytest.mark.slow]
    return pytest.param(*(values or (name, setting)), marks=marks, id=label or f"{name}-{setting}")


# --- agreement


def test_every_optimizer_has_an_oracle_and_a_golden_file() -> None:
    assert oracles.names() == NAMES
    assert sorted({read_golden(path)[0]["optimizer"] for path in GOLDEN}) == NAMES
    assert all(oracles.load(name).SETTINGS[0] == {} for name in NAMES), "the defaults come first"


def test_golden_files_are_those_that_make_would_write() -> None:
    expected = golden.files()
    assert set(GOLDEN) == set(expected)
    for path, (name, peer) in expected.items():
        about, params = read_golden(path)
        assert (about["optimizer"], about["setting"], about["path"]) == (name, peer.setting, peer.path)
        assert (about["flags"], about["seed"]) == (peer.flags, SEED)
        assert about["version"]
        assert about["date"]
        assert params.dtype == np.float64
        assert params.shape == (len(golden.AT), flat(oracles.problem(name).start).size)
    assert sum(path.stat().st_size for path in GOLDEN) < 2_000_000


@pytest.mark.parametrize(("name", "setting"), [case(name, setting) for name, setting in ORACLE])
def test_agrees_with_the_oracle(name: str, setting: Setting) -> None:
    error = from_oracle(name, setting)
    assert error[0] <= tolerance(name), "the first step: initial state or bias correction"
    assert error.max() <= tolerance(name), f"step {error.argmax() + 1}"


@pytest.mark.parametrize(
    "path", [case(name, peer.setting, path, label=path.stem) for path, (name, peer) in golden.files().items()]
)
def test_agrees_with_an_independent_package(path: Path) -> None:
    (name, peer), error = golden.files()[path], from_peer(path)
    assert error[0] <= tolerance(name, peer.error), "the first step: initial state or bias correction"
    assert error.max() <= tolerance(name, peer.error), f"step {golden.AT[error.argmax()]}"


@pytest.mark.parametrize("name", NAMES)
def test_oracle_has_our_defaults(name: str) -> None:
    floats, static = completed(name, {})
    del floats["rate_decay"]
    theirs = oracles.defaults(name)
    assert set(floats) <= set(theirs), "every number; a flag of what is wrapped is tested there"
    assert {key: value for key, value in {**floats, **static}.items() if key in theirs} == theirs


@pytest.mark.parametrize("name", NAMES)
def test_record_of_the_last_check_is_of_this_code_and_these_peers(name: str) -> None:
    """`make verified` writes it."""
    entry = catalogue.record()[name]
    assert entry["code"] == catalogue.code(name)
    assert entry["evidence"] == evidence(name)
    files = [(path, read_golden(path)[0]) for path in GOLDEN if path.name.startswith(f"{name}--")]
    peers = {f"{golden.files()[path][1].package} {about['version']}" for path, about in files}
    assert {agreement["against"] for agreement in entry["agreements"]} == {"oracle"} | peers
    assert len(peers) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_near_the_oracle(name: str) -> None:
    problem = oracles.problem(name)
    rate = np.full(len(problem.noise["scalar"]), oracles.load(name).LEARNING_RATE, np.float32)
    static = completed(name, {})[1]
    theirs = oracles.trajectory(name, {})[1:]
    ours = np.asarray(jax.jit(closed_loop(name, static, jnp.float32))(rate, {}), np.float64)[1 : len(theirs) + 1]
    # Each step rounds the parameter once, by up to half a unit.
    roundings = 1 + np.arange(1, len(ours) + 1) / 2
    assert differences(ours, theirs, problem, roundings, ulp=2.0**-23).max() <= oracles.float32_error(name)


# --- what every optimizer must hold


@pytest.mark.parametrize("name", NAMES)
def test_holds_what_every_optimizer_must(name: str) -> None:
    assert [finding for finding in checks.check(optimizers.get(name), strict=True) if finding.problem] == []


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", optimizers.wrapper_names())
@pytest.mark.parametrize("name", ["sgd", "rmsprop(momentum=0.5)", "optax:sgd(momentum=0.5)"])
def test_wrapped_holds_what_every_optimizer_must(name: str, wrapper: str) -> None:
    wrapped = optimizers.get(f"{wrapper}:{name}")
    assert [f for f in checks.check(wrapped, strict=not name.startswith("optax")) if f.problem] == []


@pytest.mark.parametrize("name", NAMES)
def test_search_space_has_one_or_two_hyperparameters_around_their_defaults(name: str) -> None:
    optimizer = optimizers.get(name)
    assert 1 <= len(optimizer.space) <= 2
    for key, law in optimizer.widened.space.items():
        low, high = sorted(law.quantile(np.array([0.0, 1.0])))
        assert low < optimizer.defaults[key] < high


@pytest.mark.parametrize("name", NAMES)
def test_file_is_short_and_says_where_the_rule_is_from(name: str) -> None:
    source = optimizers.source_file(name).read_text()
    assert code_lines(source) <= 60
    title, _, rest = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    assert title.endswith(".")
    assert "<-" in rest, "the docstring shows the update rule"
    assert optimizers.get(name).paper


def code_lines(source: str) -> int:
    """Lines with code on them: no blank lines, comments, docstrings or imports."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for t in tokens if t.type not in ignored for line in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)
