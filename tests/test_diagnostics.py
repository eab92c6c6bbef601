"""Diagnostics: known curvatures, gradients and paths; what is recorded, kept, refused and left alone."""

import argparse
import io
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from rich.console import Console

import bench
import optimizers
from bench import diagnosing, diagnostics, experiment, failures, records, results, tasks, traces
from bench.commands import progress
from bench.commands import run as command
from bench.diagnosing import Piece, _Queue
from bench.diagnostics import Walk, hessian_product, lanczos
from bench.errors import DamagedRecord, UserError
from bench.experiment import Watcher
from bench.grid import resolve
from bench.program import Program, compile_program
from bench.protocol import Protocol
from tests import edge_of_stability
from tests.toy import Quadratic

CURVATURE = (1.0, 10.0)
OPTIMIZERS = ["sgd", "adam", "momentum"]
ASKED: dict[str, Any] = {"trials": 2, "seeds": 1, "replicates": 1, "steps": 20}
KEY = jax.random.key(3)

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)
spectrum_of = jax.jit(lambda matrix: lanczos(lambda v: matrix @ v, len(matrix), KEY, iterations=len(matrix)))
ended_of = jax.jit(lambda matrix, steps: lanczos(lambda v: matrix @ v, len(matrix), KEY, steps), static_argnums=1)


def matrix(values: np.ndarray, seed: int) -> np.ndarray:
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    vectors = np.linalg.qr(np.random.RandomState(seed).normal(size=(len(values), len(values))))[0]
    return ((vectors * values) @ vectors.T).astype(np.float32)


@few
@given(st.lists(st.floats(-100, 100), min_size=8, max_size=8), st.integers(0, 1000))
def test_the_ends_of_a_spectrum_are_found(values: list[float], seed: int) -> None:
    made = matrix(np.asarray(values), seed)
    found = spectrum_of(made)
    near = 1e-4 * max(1.0, np.abs(values).max())
    assert abs(found.top - max(values)) <= near
    assert abs(found.bottom - min(values)) <= near


@pytest.mark.parametrize(
    "values",
    [
        [3.0] * 8,  # one direction spans an invariant subspace
        [-2.0] * 8,
        [5.0, 5.0, 5.0, 1.0, 1.0, 0.0, -1.0, -1.0],  # a cluster on top
        [5.0, 4.999, 4.998, 0.0, 0.0, 0.0, 0.0, -7.0],  # the largest in size is negative
        [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0],
        [0.0] * 8,
    ],
)
def test_repeated_and_negative_eigenvalues(values: list[float]) -> None:
    found = spectrum_of(matrix(np.asarray(values), 0))
    assert float(found.top) == pytest.approx(max(values), abs=2e-5)
    assert float(found.bottom) == pytest.approx(min(values), abs=2e-5)


def test_few_iterations_find_what_stands_apart_and_say_how_near_they_are() -> None:
    values = np.concatenate([np.linspace(-1, 1, 297), [8.0, 8.0, 8.01]])
    made = matrix(values, 1)
    for iterations in (4, 20):
        found = ended_of(made, iterations)
        nearest = np.abs(values - float(found.top)).min()
        assert float(found.top) <= 8.01 + 1e-4
        assert nearest <= float(found.error) + 1e-4
    assert float(found.top) == pytest.approx(8.01, abs=0.011)
    assert float(found.error) < 0.01


def test_an_operator_of_one_number() -> None:
    found = lanczos(lambda v: -4.0 * v, 1, KEY)
    assert (float(found.top), float(found.bottom), float(found.error)) == (-4.0, -4.0, 0.0)


def test_what_is_not_finite_has_no_curvature() -> None:
    assert np.isnan(float(lanczos(lambda v: v * jnp.nan, 5, KEY).top))


def test_hessian_products_are_those_of_the_whole_hessian() -> None:
    task = tasks.get("digits(widths=(64, 4, 10), activation='tanh')", 4)
    program = compile_program(task, optimizers.get("sgd"), Protocol(evaluations=2))
    objective = diagnostics._objective(task)
    params = jnp.asarray(ravel_pytree(program.start(0, "0").params)[0])
    rows = jax.tree.map(lambda a: a[:20], program.data.train)
    whole = np.asarray(jax.jit(jax.hessian(objective))(params, rows))
    product = jax.jit(lambda v: hessian_product(objective, params, rows)(v))
    for vector in np.random.RandomState(0).normal(size=(3, len(params))).astype(np.float32):
        np.testing.assert_allclose(product(vector), whole @ vector, atol=2e-5)
    found = jax.jit(lambda: lanczos(hessian_product(objective, params, rows), len(params), KEY, 40))()
    ends = np.linalg.eigvalsh(whole.astype(np.float64))
    assert float(found.top) == pytest.approx(ends[-1], rel=1e-4)
    assert float(found.bottom) == pytest.approx(ends[0], rel=1e-2)


def quadratic(optimizer: str = "sgd", **changes: Any) -> Program:
    task = Quadratic(batch_size=None, **changes)
    return compile_program(task, optimizers.get(optimizer), Protocol(evaluations=4))


def traced(optimizer: str, hparams: Mapping[str, float], **changes: Any) -> dict[str, np.ndarray]:
    return diagnostics.trace(quadratic(optimizer, **changes), hparams)[1]


def test_gradient_descent_on_a_quadratic_by_hand() -> None:
    rate = 0.05
    found = traced("sgd", {"learning_rate": rate})
    spent = found["evaluations"]
    assert spent.tolist() == [0, 10, 20, 30, 38]
    curvature = np.asarray(CURVATURE)
    here = np.asarray([1.0, -1.0]) * (1 - rate * curvature) ** spent[:, None]
    gradient = here * curvature
    after = gradient * (1 - rate * curvature)
    np.testing.assert_allclose(found["loss"], (curvature * here**2).sum(1) / 2, rtol=1e-4)
    norms = np.linalg.norm(gradient, axis=1)
    np.testing.assert_allclose(found["gradient"], norms, rtol=1e-4)
    np.testing.assert_allclose(found["ratio"], rate * norms / np.linalg.norm(here, axis=1), rtol=1e-3)
    np.testing.assert_allclose(found["layers"][:, 0], found["ratio"], rtol=1e-6)
    cosine = (gradient * after).sum(1) / norms / np.linalg.norm(after, axis=1)
    np.testing.assert_allclose(found["alignment"], cosine, atol=1e-3)
    np.testing.assert_allclose(found["distance"], np.linalg.norm(here - [1, -1], axis=1), rtol=1e-4)
    np.testing.assert_allclose(found["sharp/top"], 10, rtol=1e-5)
    np.testing.assert_allclose(found["sharp/bottom"], 1, rtol=1e-4)


@pytest.mark.parametrize(("rate", "alignment"), [(0.1, 1.0), (1.5, -1.0)])
def test_updates_in_one_dimension_go_on_or_turn_back(rate: float, alignment: float) -> None:
    # Curvature 1 in both unknowns, from (1, -1): one dimension. Above 1 / curvature each step goes beyond the minimum.
    found = traced("sgd", {"learning_rate": rate}, curvature=(1.0, 1.0), steps=12)
    np.testing.assert_allclose(found["alignment"], alignment, atol=1e-4)


def test_a_straight_way_is_as_long_as_it_leads() -> None:
    found = traced("sign_sgd", {"learning_rate": 0.01})
    np.testing.assert_allclose(found["path"], found["distance"], rtol=1e-4)
    np.testing.assert_allclose(found["path"], found["evaluations"] * 0.01 * np.sqrt(2), rtol=1e-4)
    np.testing.assert_allclose(found["alignment"], 1, atol=1e-4)


def test_a_step_of_two_gradient_evaluations_is_one_update() -> None:
    found = diagnostics.walk(quadratic("sam"), {"learning_rate": 0.01})
    assert (found.then - found.spent).tolist() == [2] * 5
    assert (np.linalg.norm(found.second - found.following, axis=1) > 0).all()


def test_no_way_is_shorter_than_the_distance() -> None:
    found = diagnostics.moved(diagnostics.walk(quadratic("momentum"), {"learning_rate": 0.3, "momentum": 0.9}))
    assert (found["path"] >= found["distance"] * (1 - 1e-6)).all()
    here = np.asarray([[0.0, 0.0], [3.0, 4.0]], np.float32)  # updates are short at both ends, and between them were not
    still = diagnostics.moved(Walk(here[0], here, here, here, np.asarray([0, 9]), np.asarray([1, 10])))
    assert still["path"].tolist() == [0.0, 5.0]


def test_nothing_has_no_ratio_and_no_angle() -> None:
    still = np.zeros((2, 3), np.float32)
    moved = still + np.asarray([1, 0, 0], np.float32)
    spent = np.arange(2)
    found = diagnostics.moved(Walk(still[0], still, moved, moved, spent, spent + 1))
    assert np.isnan(found["ratio"]).all()
    assert np.isnan(found["alignment"]).all()
    assert found["path"].tolist() == [0.0, 0.5]


def test_layers_are_the_arrays_of_parameters() -> None:
    here = np.asarray([[1, 0, 2, 0, 0]], np.float32)
    update = np.asarray([[0, 1, 1, 0, 3]], np.float32)
    spent = np.zeros(1, int)
    ratios = diagnostics.layer_ratios(Walk(here[0], here, here + update, here, spent, spent), [2, 1, 2])
    np.testing.assert_allclose(ratios, [[1.0, 0.5, np.nan]])


def test_a_run_that_diverges_is_recorded_as_nan() -> None:
    found = traced("sgd", {"learning_rate": 1e30})
    assert np.isnan(found["gradient"][-1])
    assert np.isnan(found["sharp/top"][-1]) or found["sharp/top"][-1] == pytest.approx(10)
    assert np.isnan(found["distance"][-1])


def test_a_landscape_holds_what_was_trained() -> None:
    programs = quadratic("sgd"), quadratic("adam")
    settings_ = {"learning_rate": 0.02}, {"learning_rate": 0.05}
    found = diagnostics.landscape(programs, settings_)
    curvature = np.asarray(CURVATURE)
    ends = [np.asarray(p.train(p.start(0, "0"), h).params) for p, h in zip(programs, settings_, strict=True)]
    losses = [(curvature * end**2).sum() / 2 for end in ends]
    at = np.interp([0, 1], found["between/share"], found["between/loss"])
    np.testing.assert_allclose(at, losses, rtol=0.2, atol=1e-3)
    distances = [np.linalg.norm(end - [1, -1]) for end in ends]
    np.testing.assert_allclose([np.linalg.norm(found[f"path/{i}"][-1]) for i in range(2)], distances, rtol=1e-4)
    # All of two unknowns is in the plane: somewhere on the grid the loss is about that of the minimum.
    assert found["loss"].min() < 0.05
    assert found["loss"].shape == (len(found["y"]), len(found["x"]))


def test_a_landscape_of_a_run_that_diverged_is_nan() -> None:
    programs = quadratic("sgd"), quadratic("adam")
    found = diagnostics.landscape(programs, ({"learning_rate": 1e30}, {"learning_rate": 0.05}))
    assert np.isnan(found["loss"]).all()
    assert np.isfinite(found["path/1"]).all()


@pytest.mark.parametrize("second", [[0.0, 2.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
def test_a_plane_has_two_directions_whatever_spans_it(second: list[float]) -> None:
    axes = diagnostics.plane(np.asarray([2.0, 0.0, 0.0]), np.asarray(second))
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(axes[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(second @ axes.T @ axes, second, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rate", edge_of_stability.RATES)
def test_gradient_descent_reaches_the_edge_of_stability(rate: float) -> None:
    """Cohen et al., 2021, arXiv:2103.00065: sharpness rises to 2 / rate, well above where it was, and stays there."""
    found = edge_of_stability.run(rate)
    relative = found["sharp/top"] * rate / 2
    assert relative[1] < 0.75
    np.testing.assert_allclose(relative[-20:], 1, atol=0.05)
    assert found["alignment"][1] > 0.9
    assert np.median(found["alignment"][-20:]) < -0.8
    assert found["loss"][-1] < found["loss"][1] / 2


class Told(Watcher):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.notes: list[str] = []

    def diagnosing(self, what: str, number: int, total: int) -> None:
        self.pieces.append(what)

    def note(self, words: str) -> None:
        self.notes.append(words)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(folder: Path, **options: Any) -> tuple[results.Results, Told]:
    told = Told()
    return bench.run("smoke", out=folder, watcher=told, **{"optimizers": OPTIMIZERS, **ASKED, **options}), told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, bytes]]:
    """A run's folder with diagnostics, and what was in it before they were recorded."""
    made = tmp_path_factory.mktemp("runs") / "small"
    run(made)
    before = files(made)
    run(made, diagnostics=True)
    return made, before


@pytest.mark.slow
def test_diagnostics_come_only_when_asked_for_and_change_nothing(folder: tuple[Path, Mapping[str, bytes]]) -> None:
    made, before = folder[0], dict(folder[1])
    assert not [name for name in before if name.startswith(("diagnostics", "landscapes"))]
    after = files(made)
    told, then = (json.loads(content.pop("run.json")) for content in (after, before))
    assert {**told, "environment": None} == {**then, "environment": None}
    assert {name: after[name] for name in before} == before  # records and step times, byte by byte
    recorded = {name for name in after if name not in before}
    tasks_ = results.load(made).tasks
    assert recorded == {
        *(f"diagnostics/{task}--{name}.npz" for task in tasks_ for name in OPTIMIZERS),
        *(f"landscapes/{task}.npz" for task in tasks_),
    }


@pytest.mark.slow
def test_what_is_recorded_is_of_the_run_that_was_kept(folder: tuple[Path, Mapping[str, bytes]]) -> None:
    found = results.load(folder[0])
    recorded = traces.load(found)
    assert not recorded.damaged
    assert len(recorded.traces) == len(found.units) == 6
    for record in found.units:
        trace = recorded.traces[record.cell]
        assert trace.meta["hparams"] == record.chosen_hparams("train")
        assert trace.arrays["layers"].shape[1] == len(trace.meta["layers"])
        np.testing.assert_array_equal(trace.arrays["evaluations"], np.minimum(record.arrays["step"], 18))
        assert trace.arrays["distance"][-1] == pytest.approx(record.final("train", "distance")[0], rel=0.3)
    for task, landscape in recorded.landscapes.items():
        ends = {r.cell[1]: r.ends("train", "train/loss").mean() for r in found.units if r.cell[0] == task}
        assert set(landscape.meta["optimizers"]) == set(sorted(ends, key=lambda name: ends[name])[:2])


@pytest.mark.slow
def test_only_what_is_missing_damaged_or_of_other_code_is_recorded(
    folder: tuple[Path, Mapping[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = folder
    assert run(made, diagnostics=True)[1].pieces == []
    whole = files(made)
    task, other = results.load(made).tasks
    traces.trace_file(made, task, "adam").unlink()
    traces.trace_file(made, task, "sgd").write_bytes(b"something else")
    spoilt = bytearray(traces.landscape_file(made, other).read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    traces.landscape_file(made, other).write_bytes(spoilt)
    recorded = traces.load(results.load(made))
    assert set(recorded.damaged) == {f"diagnostics/{task}--sgd.npz", f"landscapes/{other}.npz"}
    pieces = run(made, diagnostics=True)[1].pieces
    assert sorted(pieces) == sorted([f"adam on {task}", f"sgd on {task}", f"the landscape of {other}"])
    now = files(made)
    assert now.keys() == whole.keys()
    assert recorded.traces.keys() < traces.load(results.load(made)).traces.keys()
    monkeypatch.setattr(diagnosing, "code_digest", lambda *_: "another")
    grid = resolve("smoke", None, OPTIMIZERS, **ASKED)
    assert len(diagnosing.undiagnosed(made, grid, grid.fingerprints())) == 8


@pytest.mark.slow
def test_a_cell_that_fails_is_named_and_the_run_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "fragile.py"
    file.write_text(
        "import os, optax\n\n\ndef optimizer(learning_rate=0.1):\n"
        "    if os.environ.get('FRAGILE'):\n        raise RuntimeError('broken today')\n"
        "    return optax.sgd(learning_rate)\n"
    )
    made = tmp_path / "run"
    options: dict[str, Any] = {
        "optimizers": ["sgd", str(file)],
        "tasks": ["breast_cancer"],
        "timed": False,
        "workers": 1,
    }
    run(made, **options)
    os.environ["FRAGILE"] = "1"
    try:
        found, told = run(made, **options, diagnostics=True)
    finally:
        del os.environ["FRAGILE"]
    assert not found.manifest["failed"]
    name = traces.failure_name("breast_cancer", "fragile")
    assert "broken today" in failures.reasons(made, [name])[name]
    assert any("no diagnostics of fragile on breast_cancer" in note and "broken today" in note for note in told.notes)
    assert ("breast_cancer", "sgd") in traces.load(found).traces
    run(made, **options, diagnostics=True)
    assert failures.reasons(made, [name]) == {}


def test_a_worker_goes_on_with_its_task() -> None:
    pieces = [Piece(task, (name,), ({},), "") for task in "ab" for name in ("x", "y")]
    queue = _Queue(pieces, {"b": 0})
    drawn = [(worker, queue.next(worker)) for worker in (0, 1, 0, 0)]
    assert [(worker, piece.task) for worker, piece in drawn if piece] == [(0, "b"), (1, "a"), (0, "b"), (0, "a")]
    assert queue.next(1) is None


@pytest.mark.parametrize(("words", "asked"), [([], False), (["--diagnostics"], True)])
def test_the_command_asks_for_them(monkeypatch: pytest.MonkeyPatch, words: list[str], asked: bool) -> None:
    parser = argparse.ArgumentParser()
    command.add(parser)
    given: list[bool] = []

    def told(suite: str, *, diagnostics: bool, **options: Any) -> None:
        given.append(diagnostics)
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "run", told)
    assert command.main(parser.parse_args(words)) == 130
    assert given == [asked]


@pytest.mark.parametrize("terminal", [False, True])
def test_both_views_say_what_is_recorded(terminal: bool) -> None:
    out = io.StringIO()
    view = progress.watcher(Console(file=out, force_terminal=terminal, width=100))
    view.diagnosing("sgd on digits", 3, 8)
    view.close()
    assert "sgd on digits (3 of 8)" in out.getvalue()


def trace_of(folder: tuple[Path, Mapping[str, bytes]]) -> traces.Trace:
    return next(iter(traces.load(results.load(folder[0])).traces.values()))


@pytest.mark.parametrize(
    ("meta", "arrays", "words"),
    [
        ({"task": "../up"}, {}, "its task"),
        ({"optimizer": 3}, {}, "its optimizer"),
        ({"cell": None}, {}, "does not say what made it"),
        ({"hparams": {"learning_rate": "fast"}}, {}, "its hparams"),
        ({"full_batch": 1}, {}, "its full_batch"),
        ({"layers": []}, {}, "its layers"),
        ({"layers": ["one"]}, {}, "layers is not of the shape"),
        ({}, {"loss": np.zeros(3)}, "its loss is not of the shape"),
        ({}, {"gradient": np.zeros(21, np.float32)}, "it has no gradient"),
        ({}, {"evaluations": np.arange(21)[::-1]}, "do not ascend"),
        ({}, {"sharp/evaluations": np.zeros(1)}, "it has no sharp/evaluations"),
        ({}, {"chosen": np.zeros(1)}, "has no array chosen"),
    ],
)
@pytest.mark.slow
def test_a_trace_that_is_none_is_refused(
    folder: tuple[Path, Mapping[str, bytes]], meta: dict[str, Any], arrays: dict[str, np.ndarray], words: str
) -> None:
    whole = trace_of(folder)
    told = {**whole.meta, **meta, "schema": records.SCHEMA}
    content = records.pack(told, {**whole.arrays, **arrays})
    path = traces.trace_file(folder[0].parent / "odd", whole.meta["task"], whole.meta["optimizer"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(DamagedRecord, match=words):
        traces.read_trace(folder[0].parent / "odd", whole.meta["task"], whole.meta["optimizer"])
    with pytest.raises(UserError, match="makes no diagnostics that can be read again"):
        traces.encode(replace(whole, meta={**whole.meta, **meta}, arrays={**whole.arrays, **arrays}))


@pytest.mark.slow
def test_a_trace_under_another_name_is_refused(folder: tuple[Path, Mapping[str, bytes]], tmp_path: Path) -> None:
    whole = trace_of(folder)
    path = traces.trace_file(tmp_path, "t", "o")
    path.parent.mkdir()
    path.write_bytes(traces.encode(whole))
    with pytest.raises(DamagedRecord, match=f"holds {whole.meta['task']}--{whole.meta['optimizer']}"):
        traces.read_trace(tmp_path, "t", "o")
