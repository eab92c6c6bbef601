"""What theory says of rules that see an array as a whole: its norm, its rows and columns, its singular vectors."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests.driving import few, moves, noise, path, weighted_means

RATE = 0.01
seeds = st.integers(0, 1000)
START = {"kernel": noise(100, 3, 2), "bias": noise(101, 4)}


def norms(x: np.ndarray) -> np.ndarray:
    """Of the array of each step."""
    return np.sqrt(np.sum(x**2, axis=tuple(range(1, x.ndim))))


def each_move(name: str, grads: dict[str, np.ndarray], **hparams: Any) -> dict[str, np.ndarray]:
    """The steps of both arrays from START."""
    trained = path(name, grads, START, **hparams)
    return {key: moves(trained[key], START[key]) for key in START}


def both(seed: int, length: int) -> dict[str, np.ndarray]:
    return {"kernel": noise(seed, length, 3, 2), "bias": 100 * noise(seed + 1, length, 4)}


@few
@given(seeds)
def test_adafactor_is_exact_where_the_squares_have_rank_one(seed: int) -> None:
    """There the factored matrix moves like the vector of its entries, which has its moments in full."""
    rng = np.random.RandomState(seed)
    sizes = np.exp(rng.uniform(-3, 3, (20, 1, 1))) * np.outer(np.exp(rng.uniform(-3, 3, 5)), np.arange(1, 4))
    g = sizes * rng.choice([-1.0, 1.0], (20, 5, 3))
    start = noise(seed, 5, 3)
    matrix, vector = path("adafactor", g, start), path("adafactor", g.reshape(20, 15), start.ravel())
    np.testing.assert_allclose(matrix.reshape(20, 15), vector, rtol=1e-9, atol=1e-12)


def test_adafactor_keeps_the_mean_squares_of_rows_and_columns() -> None:
    g = noise(0, 1, 5, 3)
    hparams = {"learning_rate": RATE, "clip_threshold": np.inf, "scale_by_parameter": False}
    v = (RATE * g / path("adafactor", g, np.zeros((5, 3)), **hparams))[0] ** 2
    for axis in (0, 1):
        np.testing.assert_allclose(v.mean(axis), (g[0] ** 2).mean(axis), rtol=1e-9)
    np.testing.assert_allclose(np.linalg.svd(v)[1][1:], 0, atol=1e-12)


def test_adafactor_steps_by_a_part_of_the_parameters_size() -> None:
    """Under a constant gradient the ratio is its sign, and the part at most 1 / sqrt(t)."""
    start, g = np.array([3.0, -4.0]), np.tile([[-0.1, 20.0]], (30, 1))
    trained = path("adafactor", g, start, learning_rate=0.3)
    before = np.concatenate([start[None], trained[:-1]])
    part = np.minimum(0.3, np.arange(1, 31) ** -0.5) * np.sqrt((before**2).mean(axis=1))
    expected = -part[:, None] * np.sign(g)
    np.testing.assert_allclose(moves(trained, start), expected, rtol=1e-9)
    at_zero = path("adafactor", g, np.zeros(2), learning_rate=0.3)
    np.testing.assert_allclose(at_zero[0], -0.3 * 1e-3 * np.sign(g[0]), rtol=1e-9)


def test_adafactor_weighs_the_new_square_by_a_power_of_time_and_clips() -> None:
    g, hparams = np.array([[1.0], [3.0]]), {"learning_rate": RATE, "scale_by_parameter": False}
    run = lambda clip: moves(path("adafactor", g, np.zeros(1), clip_threshold=clip, decay_rate=0.8, **hparams))  # noqa: E731
    ratio = 3 / (1 + 8 * 2**-0.8) ** 0.5
    assert ratio > 1
    np.testing.assert_allclose(run(np.inf), [[-RATE], [-RATE * ratio]], rtol=1e-9)
    np.testing.assert_allclose(run(1.0), [[-RATE], [-RATE]], rtol=1e-9)


@few
@given(seeds)
def test_sm3_bounds_the_sum_of_squares_from_above(seed: int) -> None:
    """Anil et al., Proposition 3: nu is no less than AdaGrad's sum, no more than SM3-I's."""
    g = noise(seed, 20, 4, 3) * np.exp(noise(seed + 1, 1, 4, 3))
    nu = (RATE * g / moves(path("sm3", g, np.zeros((4, 3)), learning_rate=RATE, momentum=0.0, eps=0.0))) ** 2
    squares = g**2
    assert (nu >= np.cumsum(squares, axis=0) * (1 - 1e-9)).all()
    sums = [np.cumsum(squares.max(axis=axis, keepdims=True), axis=0) for axis in (1, 2)]
    assert (nu <= np.minimum(*sums) * (1 + 1e-9)).all()


def test_sm3_on_a_vector_is_adagrad() -> None:
    g = noise(0, 20, 5)
    sm3 = path("sm3", g, np.zeros(5), learning_rate=RATE, momentum=0.0, eps=0.0)
    np.testing.assert_allclose(sm3, path("adagrad", g, np.zeros(5), learning_rate=RATE, eps=0.0), rtol=1e-9)


def test_sm3_averages_its_scaled_gradients() -> None:
    g = noise(0, 20, 4, 3)
    plain, averaged = (moves(path("sm3", g, np.zeros((4, 3)), momentum=m)).reshape(20, 12) for m in (0.0, 0.9))
    expected = weighted_means(0.9, plain) * (1 - 0.9 ** np.arange(1, 21))[:, None]
    np.testing.assert_allclose(averaged, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("grad_averaging", [False, True])
def test_novograd_begins_with_steps_of_the_rate_in_every_array(grad_averaging: bool) -> None:
    """Under a constant gradient the momentum then is a geometric sum of unit vectors, or stays one."""
    g = {key: np.repeat(x, 20, axis=0) for key, x in both(0, 1).items()}
    t = np.arange(1, 21)
    length = np.ones(20) if grad_averaging else (1 - 0.95**t) / (1 - 0.95)
    for key, steps in each_move("novograd", g, learning_rate=RATE, eps=0.0, grad_averaging=grad_averaging).items():
        units = -steps / (RATE * length).reshape(20, *[1] * (steps.ndim - 1))
        np.testing.assert_allclose(units, g[key] / norms(g[key])[0], rtol=1e-9)


def test_novograd_averages_squared_norms() -> None:
    """Gradients 1 and 3: n is 1 and b2 + 9 (1 - b2)."""
    hparams = {"learning_rate": RATE, "b1": 0.9, "b2": 0.75}
    steps = moves(path("novograd", np.array([[1.0], [3.0]]), np.zeros(1), **hparams))[:, 0]
    np.testing.assert_allclose(steps, [-RATE, -RATE * (0.9 + 3 / 3**0.5)], rtol=1e-7)  # epsilon is 1e-8


@few
@given(seeds, st.floats(0.0, 0.5))
def test_lamb_steps_by_a_part_of_each_arrays_norm(seed: int, weight_decay: float) -> None:
    trained = path("lamb", both(seed, 10), START, learning_rate=0.1, weight_decay=weight_decay)
    for key, start in START.items():
        before = np.concatenate([start[None], trained[key][:-1]])
        np.testing.assert_allclose(norms(moves(trained[key], start)), 0.1 * norms(before), rtol=1e-9)


def test_lamb_goes_in_adams_direction_and_from_zero_as_far() -> None:
    g = both(0, 10)
    hparams = {"learning_rate": RATE, "eps": 1e-6}
    lamb, adam = (each_move(name, g, **hparams) for name in ("lamb", "adam"))
    for key in START:
        ours, theirs = (x[key].reshape(10, -1) / norms(x[key])[:, None] for x in (lamb, adam))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)
    at_zero = path("lamb", g, {key: np.zeros_like(x) for key, x in START.items()}, **hparams)
    for key in START:
        np.testing.assert_allclose(at_zero[key][0], adam[key][0], rtol=1e-9)


@few
@given(seeds)
def test_lars_steps_by_its_trust_times_each_arrays_norm(seed: int) -> None:
    g = both(seed, 10)
    trained = path("lars", g, START, learning_rate=2.0, momentum=0.0, trust_coefficient=0.05)
    for key, start in START.items():
        before = np.concatenate([start[None], trained[key][:-1]])
        units = -moves(trained[key], start).reshape(10, -1) / (0.1 * norms(before)[:, None])
        np.testing.assert_allclose(units, g[key].reshape(10, -1) / norms(g[key])[:, None], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("joint_norm", "length"), [(False, 10 + 0.2 * 5), (True, np.hypot(0.6, 10.8))])
def test_lars_divides_by_the_norms_of_gradient_and_decay(joint_norm: bool, length: float) -> None:
    hparams = {"learning_rate": 1.0, "trust_coefficient": 0.05, "weight_decay": 0.2, "joint_norm": joint_norm}
    step = path("lars", np.array([[0.0, 10.0]]), np.array([3.0, 4.0]), **hparams)[0] - [3.0, 4.0]
    np.testing.assert_allclose(step, -0.05 * 5 / length * np.array([0.6, 10.8]), rtol=1e-9)


def test_lars_leaves_vectors_to_momentum_where_told() -> None:
    g = both(0, 10)
    hparams = {"learning_rate": RATE, "momentum": 0.9}
    lars = each_move("lars", g, adapt_vectors=False, weight_decay=0.1, **hparams)
    momentum = each_move("momentum", g, **hparams)
    np.testing.assert_allclose(lars["bias"], momentum["bias"], rtol=1e-9, atol=1e-12)
    assert np.abs(lars["kernel"] - momentum["kernel"]).max() > RATE


def test_fromage_turns_a_vector_by_the_angle_whose_tangent_is_the_rate() -> None:
    """A gradient square to p, however long, would lengthen it by sqrt(1 + rate^2), which is undone."""
    rate, t = 0.3, np.arange(1, 21)
    angles = t * np.arctan(rate)
    ahead = np.stack([-np.sin(angles - np.arctan(rate)), np.cos(angles - np.arctan(rate))], axis=1)
    trained = path("fromage", -np.exp(noise(0, 20, 1)) * ahead, np.array([5.0, 0.0]), learning_rate=rate)
    np.testing.assert_allclose(trained, 5 * np.stack([np.cos(angles), np.sin(angles)], axis=1), rtol=1e-9, atol=1e-12)


def test_fromage_shrinks_what_has_no_gradient() -> None:
    shrunk = path("fromage", np.zeros((5, 2)), np.array([3.0, -4.0]), learning_rate=0.3)
    np.testing.assert_allclose(shrunk, [3.0, -4.0] / 1.09 ** (np.arange(1, 6)[:, None] / 2), rtol=1e-9)


def quintic(singular_values: np.ndarray) -> np.ndarray:
    """Muon's five iterations on the singular values alone."""
    s = singular_values / np.linalg.norm(singular_values)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def of_singular_values(s: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random singular vectors for given values: (u, v, u s v^T)."""
    u, v = (np.linalg.qr(noise(seed, n, len(s)))[0] for seed, n in ((1, rows), (2, columns)))
    return u, v, u * s @ v.T


@pytest.mark.parametrize(("shape", "scale"), [((4, 9), 1.5), ((9, 4), 1.0)])
def test_muon_steps_equally_far_in_all_singular_directions(shape: tuple[int, int], scale: float) -> None:
    s = np.array([10.0, 8.0, 5.0, 3.0])
    u, v, g = of_singular_values(s, *shape)
    trained = path("muon", {"w": g[None], "b": np.ones((1, 3))}, {"w": np.zeros(shape), "b": np.zeros(3)})
    step = -trained["w"][0] / (0.02 * scale)
    np.testing.assert_allclose(step, u * quintic(s) @ v.T, rtol=1e-9, atol=1e-12)
    assert 0.5 < quintic(s).min() < quintic(s).max() < 1.2
    np.testing.assert_allclose(trained["b"][0], -0.02 * 0.015, rtol=1e-7)  # Adam's first step, with epsilon 1e-8


@pytest.mark.parametrize(("nesterov", "weights"), [(True, (0.9 * 0.09, 0.1 + 0.9 * 0.1)), (False, (0.09, 0.1))])
def test_muon_mixes_momentum_before_it_orthogonalises(nesterov: bool, weights: tuple[float, float]) -> None:
    first, second = noise(0, 2, 3, 3)
    hparams = {"learning_rate": RATE, "momentum": 0.9, "nesterov": nesterov, "scale": "match_rms"}
    steps = moves(path("muon", np.stack([first, second]), np.zeros((3, 3)), **hparams))
    u, s, vt = np.linalg.svd(weights[0] * first + weights[1] * second)
    np.testing.assert_allclose(steps[1], -RATE * 0.2 * 3**0.5 * u * quintic(s) @ vt, rtol=1e-9, atol=1e-14)


SOAP: dict[str, Any] = {"learning_rate": RATE, "precondition_frequency": 3}


def test_soap_of_diagonal_gradients_is_adam_a_step_later() -> None:
    """Their eigenbasis is the parameters' own, in another order."""
    g = noise(0, 60, 4)[:, :, None] * np.eye(4)
    hparams = {"b1": 0.95, "b2": 0.95, "eps": 1e-3}  # an epsilon that drowns rounding off the diagonal
    soap = path("soap", g, np.zeros((4, 4)), **hparams, **SOAP)
    late = np.concatenate([g[1:], g[:1]])
    adam = path("adam", late, np.zeros((4, 4)), learning_rate=RATE, eps_hat=True, **hparams)
    np.testing.assert_array_equal(soap[0], 0.0)
    np.testing.assert_allclose(soap[1:], adam[:-1], rtol=1e-9, atol=1e-14)


def test_soap_turns_with_its_gradients() -> None:
    """An eigenbasis turns with what it is of, so no coordinates are special; Adam's are."""
    g = noise(0, 60, 4, 4)
    left, right = (np.linalg.qr(noise(seed, 4, 4))[0] for seed in (1, 2))
    for name, hparams, same in (("soap", SOAP, True), ("adam", {"eps_hat": True}, False)):
        once, turned = (path(name, x, np.zeros((4, 4)), **hparams) for x in (g, left @ g @ right.T))
        error = np.abs(left @ once @ right.T - turned).max()
        assert (error < 1e-12) == same, name


def test_soap_finds_the_basis_of_gradients_that_stay() -> None:
    """There a constant gradient is diagonal, Adam's step the polar factor but for epsilon; the first had another."""
    values, eps = np.array([8.0, 4.0, 2.0, 1.0]), 1e-3
    u, v, g = of_singular_values(values, 4, 4)
    grads = np.concatenate([noise(0, 1, 4, 4), np.tile(g, (59, 1, 1))])
    steps = moves(path("soap", grads, np.zeros((4, 4)), b1=0.5, b2=0.5, eps=eps, **SOAP))
    # A power iteration divides what is off the diagonal by 4: a few times 8 4^-19 / eps is left.
    np.testing.assert_allclose(steps[-1], -RATE * u * (values / (values + eps)) @ v.T, rtol=0, atol=1e-6 * RATE)


def test_shampoo_under_a_constant_gradient_steps_along_its_polar_factor() -> None:
    """L = t G G^T + eps I and R alike, so G's singular values come out as one over sqrt(t)."""
    u, v, g = of_singular_values(np.array([3.0, 1.0, 0.5]), 3, 5)
    steps = moves(path("shampoo", np.tile(g, (10, 1, 1)), np.zeros((3, 5)), learning_rate=RATE, eps=1e-12))
    t = np.arange(1, 11)[:, None, None]
    np.testing.assert_allclose(steps, -RATE * u @ v.T / t**0.5, rtol=1e-9, atol=1e-12)


def test_shampoo_on_a_vector_is_adagrad_with_the_full_matrix() -> None:
    """There a step is -rate S^-1/2 g, with S the sum of all g g^T."""
    g = noise(0, 10, 3)
    steps = moves(path("shampoo", g, np.zeros(3), learning_rate=RATE, eps=0.1))
    sums = 0.1 * np.eye(3) + np.cumsum(g[:, :, None] * g[:, None, :], axis=0)
    values, vectors = np.linalg.eigh(sums)
    roots = vectors * values[:, None, :] ** 0.5 @ np.swapaxes(vectors, 1, 2)
    np.testing.assert_allclose(np.einsum("tij,tj->ti", roots, steps), -RATE * g, rtol=1e-9, atol=1e-14)


def test_shampoo_preconditions_each_of_three_axes_by_the_sixth_root() -> None:
    """Algorithm 2: H_i sums the Gram matrices of the unfoldings, and a step is the gradient times each H_i^-1/6."""
    gradients = noise(0, 5, 24).reshape(5, 2, 3, 4)
    ours = moves(path("shampoo", gradients, np.zeros((2, 3, 4)), learning_rate=RATE, eps=0.1))
    sums = [0.1 * np.eye(n) for n in (2, 3, 4)]
    for g, step in zip(gradients, ours, strict=True):
        sums = [
            h + np.tensordot(g, g, (others, others)) for h, others in zip(sums, ([1, 2], [0, 2], [0, 1]), strict=True)
        ]
        roots = [vectors * values ** (-1 / 6) @ vectors.T for values, vectors in map(np.linalg.eigh, sums)]
        expected = np.einsum("ai,bj,ck,ijk->abc", *roots, g)
        np.testing.assert_allclose(step, -RATE * expected, rtol=1e-9, atol=1e-14)
