"""Power laws: known exponents are found with intervals that cover them, and what is none is refused."""

import numpy as np
import pytest

from bench.stats.scaling import longest, power_law, together

X = np.array([8.0, 16, 32, 64, 128])


def law(exponent: float, seed: int, noise: float = 0.1) -> np.ndarray:
    errors = np.random.RandomState(seed).normal(0, noise, (len(X), 6))
    return np.asarray(3 * X[:, None] ** exponent * np.exp(errors))


@pytest.mark.parametrize("exponent", [-1.0, -0.5, 0.5, 2.0])
def test_intervals_cover_known_exponents(exponent: float) -> None:
    fits = [power_law(X, law(exponent, seed)) for seed in range(400)]
    covered = np.mean([fit.low <= exponent <= fit.high for fit in fits])
    assert 0.91 <= covered <= 0.985  # 95 %, and three standard errors of 400 draws
    assert np.mean([fit.exponent for fit in fits]) == pytest.approx(exponent, abs=0.01)
    assert 0.91 <= np.mean([not fit.fails for fit in fits]) <= 0.985  # a test at 5 % refuses as many
    assert fits[0].factor == pytest.approx(3, rel=0.25)


def test_a_floor_is_no_law() -> None:
    y = 1 + law(-1.5, 0, 0.02)
    fit = power_law(X, y)
    assert "depart from a line" in fit.fails
    assert fit.lack < 1e-6


def test_noise_is_no_law() -> None:
    refused = [power_law(X, law(0.0, seed)).fails for seed in range(200)]
    assert np.mean([bool(why) for why in refused]) > 0.9
    assert "no exponent is told from zero" in refused[0]


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X[:3], law(1, 0)[:3], "3 values, and a law takes 4"),
        (np.array([8.0, 9, 10, 11]), law(1, 0)[:4], "over a factor of 1.4, and a law takes 8"),
        (np.array([0.0, 8, 16, 64]), law(1, 0)[:4], "a value of 0 has no logarithm"),
        (X, np.where(X[:, None] > 100, np.inf, law(1, 0)), "a replicate that missed it"),
        (X, law(1, 0) - 1000, "not above zero"),
        (X, law(1, 0)[:, :1], "fewer than two replicates"),
    ],
)
def test_what_cannot_be_fitted_says_why(x: np.ndarray, y: np.ndarray, words: str) -> None:
    assert words in power_law(x, y).fails


def test_missing_replicates_are_left_out() -> None:
    y = law(-0.5, 3)
    y[1, 2:] = np.nan
    fit = power_law(X, y)
    assert fit.low <= -0.5 <= fit.high


def test_an_exact_law_is_one() -> None:
    fit = power_law(X, law(-0.5, 0, 0.0))
    assert not fit.fails
    assert [fit.exponent, fit.factor] == pytest.approx([-0.5, 3])


def test_a_page_of_noise_seldom_states_a_law() -> None:
    pages = [together([longest(X, law(0.0, 16 * page + fit)) for fit in range(16)]) for page in range(150)]
    assert np.mean([any(not fit.fails for fit in fits) for fits in pages]) <= 0.1  # 5 %, and three standard errors
    mixed = together([longest(X, law(exponent, seed)) for seed, exponent in enumerate([0.5, 0.0, 0.0, -0.5])])
    assert [not fit.fails for fit in mixed] == [True, False, False, True]
    assert all(fit.p >= power_law(X, law(0.0, seed)).p for seed, fit in ((1, mixed[1]), (2, mixed[2])))


def test_a_fit_that_could_not_be_made_is_of_no_family() -> None:
    one = longest(X, law(0.5, 0))
    assert together([one, power_law(X[:3], law(1, 0)[:3])])[0].p == one.p


def test_a_part_is_found_and_said_to_be_one() -> None:
    x = np.array([1.0, 2, 4, 8, 16, 32, 64])
    y = np.maximum(x, 8)[:, None] ** -1.0 * np.exp(np.random.RandomState(0).normal(0, 0.02, (7, 6)))
    fit = longest(x, y)
    assert fit.part
    assert not fit.fails
    assert [fit.first, fit.last] == pytest.approx([8, 64])
    assert not longest(X, law(1.0, 2)).part
