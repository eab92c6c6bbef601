"""Step times: proportional to the work, beside SGD's, refused where they cannot be times of training."""

from dataclasses import replace

import numpy as np
import pytest

import optimizers
from bench import timing
from bench.program import Program, compile_program
from bench.protocol import Protocol
from optimizers import Optimizer
from tests.toy import Quadratic

PROTOCOL = Protocol(evaluations=4)


def program(optimizer: Optimizer) -> Program:
    return compile_program(Quadratic(), optimizer, PROTOCOL)


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, object]]:
    sgd = program(optimizers.get("sgd"))
    still = replace(sgd, optimizer=replace(sgd.optimizer, name="still"))
    programs = {"sgd": sgd, "adam": program(optimizers.get("adam")), "still": still}
    return timing.measure(programs, {"sgd": {}, "adam": {}, "still": {"learning_rate": 0.0}}, sgd)


def test_a_time_is_a_steps_and_comes_with_sgds_of_the_same_rounds(measured: dict[str, dict[str, object]]) -> None:
    for name in ("sgd", "adam"):
        fields = measured[name]
        times = np.asarray([fields[key] for key in ("step_s", "step_cpu_s", "sgd_step_s", "sgd_step_cpu_s")])
        assert times.shape == (4, timing.ROUNDS)
        assert (times > 0).all()
        assert (times < 1e-3).all()
        assert fields["distance"] > 0  # type: ignore[operator]
    assert 1.5 <= measured["adam"]["doubling"] <= 2.5  # type: ignore[operator]


def test_parameters_that_did_not_move_give_no_time(measured: dict[str, dict[str, object]]) -> None:
    assert measured["still"] == {"unsound": "the parameters did not move"}


@pytest.mark.parametrize("doubling", [1.0, 1.4, 2.6, float("nan")])
def test_work_that_does_not_grow_with_the_steps_is_refused(doubling: float) -> None:
    with pytest.raises(timing.UnsoundTiming, match="twice the steps took"):
        timing.check(doubling, distance=1.0)
    timing.check(2.0, distance=float("nan"))
