"""What runs cost: the table covers everything there is, and what is outside it is predicted from what it is like."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from bench import cost_table, costs, probe, tasks, timing
from bench.costs import Speed
from bench.errors import UserError
from bench.protocol import Protocol
from bench.tasks import Custom

ROOT = Path(__file__).parent.parent
PROTOCOL = Protocol()


def start(key: Any) -> Any:
    return jnp.ones(3)


def square(w: Any, batch: Any, key: Any) -> Any:
    return (w**2).sum()


OWN = Custom(name="own", init=start, loss=square)


def test_the_table_knows_every_optimizer_and_every_task_whose_data_is_shipped() -> None:
    table = costs.table()
    assert sorted(table["optimizers"]) == sorted(table["states"]) == optimizers.names()
    fetched = {"mnist", "fashion_mnist"}
    assert set(table["tasks"]) == set(table["cells"]) == set(tasks.names()) - fetched
    assert {"cpu", "date", "jax", "numpy", "python"} <= set(table["made"])


@pytest.mark.parametrize("task", [*map(tasks.get, tasks.names()), OWN], ids=lambda task: task.name)
def test_everything_has_a_cost(task: Any) -> None:
    assert costs.opening_seconds(task, PROTOCOL) > 0
    for name in (*optimizers.names(), "somewhere.py"):
        for seconds in (
            costs.unit_seconds(task, name, PROTOCOL),
            costs.setup_seconds(task, name),
            costs.timing_seconds(task, [name], 1, PROTOCOL),
        ):
            assert 0 < seconds < 3600


def test_the_models_give_what_was_measured_to_within_a_fifth() -> None:
    table, errors = costs.table(), []
    for task, of in table["cells"].items():
        size = costs.size(tasks.get(task))
        assert size is not None
        for name, cell in of.items():
            model = table["models"] if name == "sgd" else table["optimizers"][name]
            terms = costs.terms("step_s", size, 0.0 if name == "sgd" else of["sgd"]["step_s"])
            errors.append(abs(np.dot(model["step_s"], terms) / cell["step_s"] - 1))
    assert np.median(errors) < 0.1
    assert np.quantile(errors, 0.9) < 0.2


def test_more_work_takes_longer_and_a_faster_machine_does_not() -> None:
    task = tasks.get("digits")
    unit = costs.unit_seconds(task, "adam", PROTOCOL)
    for larger in (replace(PROTOCOL, trials=20), replace(PROTOCOL, seeds=6), replace(PROTOCOL, evaluations=80)):
        assert costs.unit_seconds(task, "adam", larger) > unit
    wider = tasks.get("digits(widths=(64, 256, 256, 10))")
    same = tasks.get("digits(batch_size=64)")
    assert costs.unit_seconds(wider, "adam", PROTOCOL) > 2 * costs.unit_seconds(same, "adam", PROTOCOL)
    assert costs.unit_seconds(tasks.get("digits", 1000), "adam", PROTOCOL) > 1.5 * unit
    assert costs.unit_seconds(task, "adam", PROTOCOL, Speed(2.0, 2.0)) == pytest.approx(unit / 2)
    assert costs.setup_seconds(task, "adam", Speed(9.0, 2.0)) == pytest.approx(costs.setup_seconds(task, "adam") / 2)
    assert costs.setup_seconds(task, "adam", warm=True) < costs.setup_seconds(task, "adam")


def test_a_unit_is_its_runs() -> None:
    one = Protocol(trials=1, seeds=1)
    task, job = tasks.get("dem"), costs.table()["process"]["job_s"]
    assert costs.unit_seconds(task, "sgd", one) == pytest.approx(2 * costs.run_seconds(task, "sgd", one) + job)
    cell, of = costs.table()["cells"]["dem"]["sgd"], costs.table()["tasks"]["dem"]
    by_hand = 600 * cell["step_s"] + 21 * of["evaluation_s"] + of["call_s"]
    assert costs.run_seconds(task, "sgd", PROTOCOL) == pytest.approx(by_hand)


@pytest.mark.parametrize(("trials", "settings"), [(1, 1.0), (10, 1.43), (10**9, 2.0)])
def test_the_settings_that_two_selections_choose_are_one_or_two(trials: int, settings: float) -> None:
    assert costs.chosen(Protocol(trials=trials)) == pytest.approx(settings)


def test_an_optimizer_with_something_fixed_is_itself_and_an_unknown_one_the_median() -> None:
    task = tasks.get("dem")
    assert costs.listed("adam(b2=0.5)") == "adam"
    assert costs.listed("mine.py") is costs.listed("optax:lion") is costs.listed("ema:adam") is None
    steps = [cell["step_s"] for cell in costs.table()["cells"]["dem"].values()]
    assert costs.of_cell(task, "mine.py", "step_s") == pytest.approx(np.median(steps))


def test_a_task_of_own_functions_is_the_median_task() -> None:
    assert costs.guessed(OWN)
    assert not costs.guessed(tasks.get("digits(batch_size=16)"))
    known = [of["sgd"]["step_s"] for of in costs.table()["cells"].values()]
    assert costs.of_cell(OWN, "sgd", "step_s") == pytest.approx(np.median(known))


def test_memory_is_of_the_process_the_data_and_the_programs() -> None:
    dem, digits = tasks.get("dem"), tasks.get("digits")
    one = costs.worker_mib([(dem, "sgd")], PROTOCOL)
    assert one > costs.table()["process"]["resident_mib"]
    assert costs.worker_mib([(dem, "sgd"), (dem, "adam")], PROTOCOL) > one
    assert costs.worker_mib([(dem, "sgd"), (digits, "sgd")], PROTOCOL) > one
    large = tasks.get("dem(widths=(2, 4096, 4096, 1))")
    parameters = 4096 * 4096 * 4 / 2**20
    assert costs.worker_mib([(large, "lbfgs")], PROTOCOL) > 22 * parameters
    many = [(dem, f"adam(b1=0.{n})") for n in range(100, 400)]
    assert costs.worker_mib(many, PROTOCOL) == costs.worker_mib(many[: costs.KEPT], PROTOCOL)


def test_a_record_is_about_as_large_as_it_is() -> None:
    # The records of the default protocol take 13,357 bytes each in the mean, and so four blocks.
    assert costs.record_bytes(PROTOCOL, 21) == 4 * costs.BLOCK


def test_times_are_planned_as_they_are_measured() -> None:
    assert (timing.ROUNDS, timing.TARGET_S) == costs.TIMED


def test_costs_need_no_jax() -> None:
    code = "import sys, bench.costs, bench.forecast, bench.commands.plan; print({'jax', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_a_model_finds_the_coefficients_that_costs_were_made_with() -> None:
    sizes = {name: costs.size(tasks.get(name)) for name in tasks.names()}
    true = [2e-6, 1e-11, 3e-10]
    seen = {name: (of, float(np.dot(true, costs.terms("step_s", of)))) for name, of in sizes.items() if of is not None}
    raw = {
        name: {
            "task": dict.fromkeys(cost_table.OF_TASKS, 1.0),
            "cells": {
                o: {"step_s": factor * step, "trace_s": 1.0, "compile_s": 2.0, "program_mib": 3.0}
                for o, factor in (("sgd", 1.0), ("adam", 1.25))
            },
            "process": {"resident_mib": 200.0},
        }
        for name, (_, step) in seen.items()
    }
    made = cost_table.make(raw, {"job_s": 0.01}, {"cpu": "made up"})
    assert made["models"]["step_s"] == pytest.approx(true, rel=1e-2)
    for of, step in seen.values():
        assert np.dot(made["optimizers"]["adam"]["step_s"], costs.terms("step_s", of, step)) == pytest.approx(
            1.25 * step
        )
    assert made["process"] == {"job_s": 0.01, "resident_mib": 200.0, "program_mib": 3.0}
    assert made["states"]["adam"] == 2.0


def test_of_two_passes_each_number_is_the_smaller() -> None:
    assert cost_table.smallest([{"a": {"x": 1.0, "y": 4.0}}, {"a": {"x": 2.0, "y": 3.0}}]) == {
        "a": {"x": 1.0, "y": 3.0}
    }


def half_as_fast(jobs: Any, workers: int = 1) -> list[Any]:
    """What a machine would give that trains half as fast as the table's and compiles a fourth as fast."""
    slower = {"step_s": 2.0, "trace_s": 4.0, "compile_s": 4.0}
    return [
        {"cells": {o: {what: slower[what] * cells[o][what] for what in slower} for o in job.optimizers}}
        if (cells := costs.table()["cells"].get(job.task))
        else {}
        for job in jobs
    ]


def test_a_machines_speed_is_measured_once_and_then_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPTGRID_CACHE", str(tmp_path))
    monkeypatch.setattr(probe, "done", half_as_fast)
    told: list[str] = []
    found, day = probe.speed(told.append)
    assert (found.training, found.compiling) == pytest.approx((0.5, 0.25))
    monkeypatch.setattr(probe, "done", None)
    assert probe.speed(told.append) == (found, day)
    (file,) = (tmp_path / "speed").iterdir()
    file.write_text("{")
    monkeypatch.setattr(probe, "done", half_as_fast)
    assert probe.speed(told.append)[0] == found
    assert len(told) == 2


@pytest.mark.slow
def test_the_jobs_give_every_cost_that_the_table_has() -> None:
    overhead, told = probe.done(
        [probe.OverheadJob("breast_cancer"), probe.CostJob("breast_cancer(steps=20)", ["sgd", "sam"], rounds=1)]
    )
    assert set(told["task"]) == set(cost_table.OF_TASKS)
    assert list(told["cells"]) == ["sgd", "sam"]
    for cell in told["cells"].values():
        assert set(cell) == {*cost_table.OF_CELLS, "program_mib"}
        assert all(math.isfinite(value) for value in cell.values())
        assert cell["compile_s"] > 0
    assert set(overhead) == {"job_s", "load_s"}


def test_a_measurement_that_fails_says_why() -> None:
    with pytest.raises(UserError, match=r"speed could not be measured.*nosuch"):
        probe.done([probe.CostJob("nosuch", ["sgd"])])
