"""Laws of search spaces: where values lie in them, how they are extended, and what that costs in trials."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import optimizers
from bench.errors import UserError
from bench.protocol import DECADES, EXTENSIONS, Protocol
from bench.sweep import draw, searched
from optimizers import OptimizerError
from optimizers._base import Optimizer
from optimizers._space import Distribution, ends, heights, log_uniform, one_minus, open_ends, uniform

LAWS = (
    log_uniform(1e-4, 0.3),
    log_uniform(1e-20, 1e-6),
    uniform(-2.0, 0.5),
    uniform(0.3, 1.0, within=(0.0, 1.0)),
    one_minus(log_uniform(1e-2, 0.5)),
    one_minus(log_uniform(3e-5, 0.03)),
    one_minus(uniform(0.2, 0.9)),
    one_minus(one_minus(log_uniform(1e-3, 0.5))),
)
units = st.floats(0, 1)
times = st.integers(0, EXTENSIONS)


@given(st.sampled_from(LAWS), times, st.lists(units, min_size=1, max_size=8))
def test_a_position_is_the_inverse_of_a_quantile(law: Distribution, more: int, u: list[float]) -> None:
    for each in (law, law.extended(more)):
        np.testing.assert_allclose(each.position(each.quantile(np.array(u))), u, atol=1e-6)


@given(st.sampled_from(LAWS), st.floats(-1e3, 1e3))
def test_what_lies_outside_is_at_the_end_that_it_is_beyond(law: Distribution, value: float) -> None:
    low, high = ends(law)
    height = float(heights(law, np.array(value)))
    assert height == pytest.approx(0, abs=1e-9) if value <= low else 0 <= height <= 1
    assert height == pytest.approx(1, abs=1e-9) if value >= high else 0 <= height <= 1


@given(st.sampled_from(LAWS), times)
def test_an_extended_law_holds_all_that_it_held(law: Distribution, more: int) -> None:
    (low, high), (lower, higher) = ends(law), ends(law.extended(more))
    assert lower <= low
    assert high <= higher
    assert law.extended(0) == law
    if more:
        assert open_ends(law) == (lower < low, higher > high)


def test_a_logarithmic_law_grows_by_decades_and_another_by_its_width() -> None:
    assert ends(log_uniform(1e-3, 1.0).extended(2)) == pytest.approx((1e-5, 100.0))
    assert ends(uniform(1.0, 3.0).extended(2)) == (-3.0, 7.0)
    assert ends(uniform(0.3, 0.9, within=(0.0, 1.0)).extended(1)) == (0.0, 1.0)


@given(st.sampled_from([law for law in LAWS if str(law).startswith("1 - (log")]), st.integers(0, 20), units)
def test_an_averaging_constant_stays_one(law: Distribution, more: int, u: float) -> None:
    value = np.float32(law.extended(more).quantile(np.array(u)))  # as a program takes it
    assert 0 <= value < 1


def test_ends_set_by_nature_are_closed() -> None:
    assert open_ends(one_minus(log_uniform(1e-2, 0.5))) == (True, True)
    assert open_ends(one_minus(log_uniform(1e-2, 1.0))) == (False, True)
    assert open_ends(one_minus(log_uniform(1e-2, 0.5)).extended(1)) == (False, True)
    assert open_ends(one_minus(log_uniform(1e-2, 0.5)).extended(6)) == (False, False)
    assert open_ends(uniform(0.5, 1.0, within=(0.0, 1.0))) == (True, False)


def test_bounds_must_be_within() -> None:
    with pytest.raises(ValueError, match="bounds must be within"):
        uniform(0.5, 2.0, within=(0.0, 1.0))


def test_what_cannot_be_extended_is_no_law() -> None:
    class Half:
        def quantile(self, u: np.ndarray) -> np.ndarray:
            return u / 2

    with pytest.raises(OptimizerError, match="the space of learning_rate is no law"):
        Optimizer(make=optimizers.get("sgd").make, space={"learning_rate": Half()}, paper="")  # type: ignore[dict-item]


def test_every_law_of_an_optimizer_is_extended_wide_or_not() -> None:
    adam = optimizers.get("adam")
    assert adam.extended(0) == adam
    assert adam.extended(2).widened.space == adam.widened.extended(2).space
    assert all(adam.widened.extended(1).space[name] == law.extended(1) for name, law in adam.widened.space.items())
    assert searched(adam, Protocol()).space == adam.space
    assert searched(adam, Protocol(wide=True, extensions=1)).space == adam.widened.extended(1).space


@pytest.mark.parametrize("name", optimizers.names())
def test_trials_of_a_decade_never_get_fewer(name: str) -> None:
    space = optimizers.get(name).space
    if "learning_rate" in space:
        low, high = ends(space["learning_rate"])
        assert np.log10(high / low) >= DECADES - 1e-9


def test_extending_a_protocol_adds_trials_in_proportion() -> None:
    plain = Protocol(trials=10)
    assert [plain.extended(n).trials for n in range(4)] == [10, 17, 24, 30]
    assert [plain.extended(n).extensions for n in range(4)] == [0, 1, 2, 3]
    assert Protocol(trials=12).extended(1).extended(1) == Protocol(trials=12).extended(2)
    with pytest.raises(UserError, match="extensions must be a whole number of 0 to 3, not 4"):
        plain.extended(4)


def test_a_protocol_without_extensions_is_what_it_was() -> None:
    assert set(Protocol().identity) == {"trials", "evaluations", "schedule", "wide", "steps"}
    assert Protocol(extensions=1).identity == {**Protocol().identity, "extensions": 1}


def test_a_search_of_extended_spaces_reaches_further() -> None:
    adam = optimizers.get("adam")
    wider = Protocol(trials=16).extended(1)
    for name, values in draw(searched(adam, wider), wider.trials, "key").items():
        low, high = ends(adam.space[name])
        assert values[0] == adam.start[name]
        assert values.min() < low
        assert values.max() > high
