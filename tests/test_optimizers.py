"""Every optimizer of the catalogue against its oracle, against independent packages, and against what all must hold.

Nothing here names an optimizer: a new file in `optimizers/` is tested by being there, and fails until it has an
oracle and a golden file. Properties of single rules are in test_optimizer_properties.py.
"""

import ast
import functools
import io
import json
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from tests import oracles
from tests.golden import make as golden
from tests.gradients import PULL, SEED, SHAPES, flat, mask, noise, rates, start

NAMES = optimizers.names()
Setting = dict[str, Any]


# --- one compiled program for all settings of an optimizer that differ in floats only


def read_golden(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return json.loads(str(file["about"])), file["params"]


GOLDEN = sorted(golden.FOLDER.glob("*.npz"))
ORACLE = [(name, setting) for name in oracles.names() for setting in oracles.load(name).SETTINGS]
EVERY = ORACLE + [(about["optimizer"], about["setting"]) for about, _ in map(read_golden, GOLDEN)]


def completed(name: str, setting: Setting) -> tuple[dict[str, float], dict[str, Any]]:
    """The setting with the defaults filled in: floats, which may be traced, and the rest."""
    full = {**optimizers.get(name).defaults, "rate_decay": 1.0, **setting}
    floats = {key: float(value) for key, value in full.items() if isinstance(value, float)}
    return floats, {key: value for key, value in full.items() if key not in floats}


def text(name: str, static: dict[str, Any], floats: dict[str, float] | None = None) -> str:
    return json.dumps([name, static, floats], sort_keys=True)


@functools.cache
def batch(name: str, static_text: str) -> dict[str, np.ndarray]:
    """float64 (steps + 1, size) trajectories by `text` of all settings of `name` that share the static part."""
    settings = [completed(n, setting) for n, setting in EVERY if n == name]
    static = next(static for _, static in settings if text(name, static) == static_text)
    lanes = list({text(name, static, floats): floats for floats, s in settings if text(name, s) == static_text}.items())
    rate = np.array([rates(floats["learning_rate"], floats["rate_decay"]) for _, floats in lanes])
    others = {
        key: np.array([floats[key] for _, floats in lanes])
        for key in lanes[0][1]
        if key not in ("learning_rate", "rate_decay")
    }
    with jax.enable_x64(True):
        path = jax.jit(jax.vmap(closed_loop(name, static, jnp.float64)))(rate, others)
        return {key: params for (key, _), params in zip(lanes, np.asarray(path), strict=True)}


def closed_loop(name: str, static: dict[str, Any], dtype: Any) -> Callable[..., jax.Array]:
    """(rate of each step, hyperparameters) to the trajectory; the transform is made anew at each step."""
    optimizer = optimizers.get(name)
    leaves, kicks, flows = ({k: jnp.asarray(v, dtype) for k, v in t.items()} for t in (start(), noise(), mask()))

    def run(rate: jax.Array, hparams: dict[str, jax.Array]) -> jax.Array:
        def step(carry: Any, x: Any) -> Any:
            params, state = carry
            transform = optimizer.make(learning_rate=x[0], **hparams, **static)
            grads = {key: flows[key] * (x[1][key] + PULL * params[key]) for key in params}
            updates, state = transform.update(grads, state, params)
            params = {key: params[key] + updates[key] for key in params}
            return (params, state), params

        state = optimizer.make(learning_rate=rate[0], **hparams, **static).init(leaves)
        _, path = jax.lax.scan(step, (leaves, state), (rate, kicks))
        path = {key: jnp.concatenate([leaves[key][None], path[key]]) for key in SHAPES}
        return jnp.concatenate([path[key].reshape(len(rate) + 1, -1) for key in SHAPES], axis=1)

    return run


def trajectory(name: str, setting: Setting) -> np.ndarray:
    floats, static = completed(name, setting)
    return batch(name, text(name, static))[text(name, static, floats)]


def differences(
    ours: np.ndarray, theirs: np.ndarray, roundings: np.ndarray | float, ulp: float = 2.0**-52
) -> np.ndarray:
    """(steps,): the largest difference relative to the distance from the start, over the leaves.

    `roundings` units in the last place of the parameters are the number format's and not counted: a step of 1e-5
    of a parameter is only good to 1e-11 in float64.
    """
    edges = np.cumsum([0, *(int(np.prod(shape)) for shape in SHAPES.values())])
    origin, worst = flat(start()), np.zeros(len(ours))
    for leaf in map(slice, edges[:-1], edges[1:]):
        gap = np.abs(ours[:, leaf] - theirs[:, leaf]).max(1) - roundings * ulp * np.abs(theirs[:, leaf]).max(1)
        moved = np.abs(theirs[:, leaf] - origin[leaf]).max(1)
        worst = np.maximum(worst, np.where(gap <= 0, 0.0, gap / np.where(moved > 0, moved, 1e-300)))
    return worst


def tolerance(name: str) -> float:
    """Ten times what an independent package differs by, and never more than 1e-12."""
    return float(min(10 * oracles.load(name).ERROR, 1e-12))


# --- agreement


def test_every_optimizer_has_an_oracle_and_a_golden_file() -> None:
    assert oracles.names() == NAMES
    assert sorted({read_golden(path)[0]["optimizer"] for path in GOLDEN}) == NAMES
    assert all(oracles.load(name).SETTINGS[0] == {} for name in NAMES), "the defaults come first"


def test_golden_files_are_those_that_make_would_write() -> None:
    expected = golden.files()
    assert set(GOLDEN) == set(expected)
    for path, case in expected.items():
        about, params = read_golden(path)
        assert (about["optimizer"], about["setting"], about["package"]) == (case.name, case.setting, case.package)
        assert (about["class"], about["flags"], about["seed"]) == (case.cls, case.flags, SEED)
        assert about["version"]
        assert about["date"]
        assert params.dtype == np.float64
        assert params.shape == (len(golden.AT), flat(start()).size)
    assert sum(path.stat().st_size for path in GOLDEN) < 300_000


@pytest.mark.parametrize(("name", "setting"), ORACLE, ids=lambda value: str(value))
def test_agrees_with_the_oracle(name: str, setting: Setting) -> None:
    error = differences(trajectory(name, setting)[1:], oracles.trajectory(name, setting)[1:], roundings=2)
    assert error[0] <= tolerance(name), "the first step: initial state or bias correction"
    assert error.max() <= tolerance(name), f"step {error.argmax() + 1}"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_agrees_with_an_independent_package(path: Path) -> None:
    about, params = read_golden(path)
    error = differences(trajectory(about["optimizer"], about["setting"])[about["steps"]], params, roundings=2)
    assert error[0] <= tolerance(about["optimizer"]), "the first step: initial state or bias correction"
    assert error.max() <= tolerance(about["optimizer"]), f"step {about['steps'][error.argmax()]}"


@pytest.mark.parametrize("name", NAMES)
def test_oracle_has_our_defaults(name: str) -> None:
    floats, static = completed(name, {})
    explicit = {key: value for key, value in {**floats, **static}.items() if key != "rate_decay"}
    assert explicit.pop("learning_rate") == oracles.load(name).LEARNING_RATE
    np.testing.assert_array_equal(oracles.trajectory(name, explicit), oracles.trajectory(name, {}))


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_near_the_oracle(name: str) -> None:
    rate = np.full(len(noise()["scalar"]), oracles.load(name).LEARNING_RATE, np.float32)
    ours = np.asarray(jax.jit(closed_loop(name, {}, jnp.float32))(rate, {}), np.float64)[1:]
    # Each step rounds the parameter once, by up to half a unit.
    roundings = 1 + np.arange(1, len(ours) + 1) / 2
    assert differences(ours, oracles.trajectory(name, {})[1:], roundings, ulp=2.0**-23).max() <= 2e-6


# --- what every optimizer must hold: one program each, every lane a trouble of its own

TREE = {
    "scalar": np.ones((), np.float32),
    "vector": np.ones(4, np.float32),
    "matrix": np.ones((3, 2), jnp.bfloat16),
    "empty": np.ones((0, 3), np.float32),
    "nested": [{"deep": np.ones(2, jnp.bfloat16)}, (), {}],
}
LANES = ("quadratic", "zero", "huge", "tiny", "nan")
CURVATURE = np.array([0.5, 0, 0, 0, 0], np.float32)
KICK = np.array([0, 0, 1e15, 1e-30, np.nan], np.float32)  # the square of 1e15 still is a float32
CORNERS = ("default", "low", "high")  # of the search space


@functools.cache
def conformance(name: str) -> tuple[Any, Any]:
    """Parameters of TREE after 40 steps with leading axes (LANES, CORNERS), and the same from a second run."""
    optimizer = optimizers.get(name)

    def run(curvature: jax.Array, kick: jax.Array, hparams: dict[str, jax.Array]) -> Any:
        transform = optimizer.make(**hparams)

        def step(carry: Any, t: jax.Array) -> Any:
            params, state = carry
            grads = jax.tree.map(lambda p: (curvature * p + kick * jnp.cos(t)).astype(p.dtype), params)
            updates, state = transform.update(grads, state, params)
            return (jax.tree.map(jnp.add, params, updates), state), None

        return jax.lax.scan(step, (TREE, transform.init(TREE)), jnp.arange(40.0))[0][0]

    hparams = {
        key: np.array([optimizer.start[key], *law.quantile(np.array([0.0, 1.0]))], np.float32)
        for key, law in optimizer.space.items()
    }
    batched = jax.jit(jax.vmap(jax.vmap(run, (None, None, 0)), (0, 0, None)))
    first, second = (jax.device_get(batched(CURVATURE, KICK, hparams)) for _ in range(2))
    return first, second


def lane(params: Any, which: str) -> np.ndarray:
    """(CORNERS, coordinates): one lane's parameters side by side, in float32."""
    at = LANES.index(which)
    return np.concatenate([np.asarray(x[at], np.float32).reshape(len(CORNERS), -1) for x in jax.tree.leaves(params)], 1)


def described(tree: Any) -> tuple[Any, list[Any]]:
    """Structure, and shape, dtype and weakness of each leaf."""
    return jax.tree.structure(tree), [(x.shape, x.dtype, getattr(x, "weak_type", False)) for x in jax.tree.leaves(tree)]


@pytest.mark.parametrize("name", NAMES)
class TestConformance:
    def test_runs_are_reproducible_to_the_bit(self, name: str) -> None:
        first, second = (jax.tree.map(np.ndarray.tobytes, params) for params in conformance(name))
        assert first == second

    @pytest.mark.parametrize("which", ["zero", "huge", "tiny"])
    def test_extreme_gradients_leave_numbers(self, name: str, which: str) -> None:
        assert np.isfinite(lane(conformance(name)[0], which)).all()

    def test_zero_gradient_never_drives_outwards(self, name: str) -> None:
        assert (np.abs(lane(conformance(name)[0], "zero")) <= 1).all()

    def test_nan_stays_in_its_lane(self, name: str) -> None:
        params = conformance(name)[0]
        assert np.isnan(lane(params, "nan")).all()
        assert np.isfinite(lane(params, "quadratic")[CORNERS.index("default")]).all()

    def test_defaults_descend_a_quadratic(self, name: str) -> None:
        ends = lane(conformance(name)[0], "quadratic")[CORNERS.index("default")]
        assert np.square(ends).mean() < 0.99

    @pytest.mark.parametrize("x64", [False, True])
    @pytest.mark.parametrize("traced", [None, np.float32, np.float64])
    def test_dtypes_are_the_parameters_own(self, name: str, x64: bool, traced: Any) -> None:
        """State and updates keep theirs whatever the hyperparameters are: Python floats, or arrays of any width."""
        optimizer = optimizers.get(name)
        hparams = (
            {} if traced is None else {k: traced(v) for k, v in completed(name, {})[0].items() if k != "rate_decay"}
        )
        with jax.enable_x64(x64):
            tree = {**TREE, "double": np.ones(2, np.float64)} if x64 else TREE
            init = lambda h, p: optimizer.make(**h).init(p)  # noqa: E731
            update = lambda h, g, s, p: optimizer.make(**h).update(g, s, p)  # noqa: E731
            if not hparams:
                init, update = functools.partial(init, hparams), functools.partial(update, hparams)
            given = (hparams,) if hparams else ()
            state = jax.eval_shape(init, *given, tree)
            updates, after = jax.eval_shape(update, *given, tree, state, tree)
            assert described(after) == described(state)
            assert described(updates) == described(jax.eval_shape(lambda p: p, tree))
        for leaf in jax.tree.leaves(state):
            assert not leaf.weak_type
            assert leaf.dtype in (jnp.int32, jnp.float32, *([jnp.float64] if x64 else []))
        wide = [leaf for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.float64]
        assert all(leaf.shape in ((2,), ()) for leaf in wide), "only the state of double parameters is double"

    def test_init_and_update_are_pure(self, name: str) -> None:
        transform = optimizers.get(name).make()
        before = jax.tree.map(np.copy, TREE)
        state = transform.init(TREE)
        kept = jax.device_get(state)
        traces = [jax.make_jaxpr(transform.update)(TREE, state, TREE) for _ in range(2)]
        assert str(traces[0]) == str(traces[1])
        assert not traces[0].effects
        jax.tree.map(np.testing.assert_array_equal, TREE, before)
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(state), kept)
        assert str(jax.make_jaxpr(transform.init)(TREE)) == str(jax.make_jaxpr(transform.init)(TREE))

    def test_empty_trees_are_trees(self, name: str) -> None:
        transform = optimizers.get(name).make()
        trees: list[Any] = [{}, (), {"a": {}, "b": ()}]
        for tree in trees:
            state = transform.init(tree)
            updates, after = transform.update(tree, state, tree)
            assert updates == tree
            assert described(after)[0] == described(state)[0]

    def test_search_space_holds_the_defaults(self, name: str) -> None:
        optimizer = optimizers.get(name)
        assert 1 <= len(optimizer.space) <= 2
        assert set(optimizer.space) <= set(optimizer.defaults)
        for key, law in optimizer.space.items():
            low, high = sorted(law.quantile(np.array([0.0, 1.0])))
            assert low < optimizer.start[key] < high

    def test_file_is_short_and_says_where_the_rule_is_from(self, name: str) -> None:
        source = optimizers.source_file(name).read_text()
        assert code_lines(source) <= 60
        title, _, rest = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
        assert title.endswith(".")
        assert "<-" in rest, "the docstring shows the update rule"
        assert optimizers.get(name).paper


def code_lines(source: str) -> int:
    """Lines with code on them: no blank lines, comments or docstrings."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for t in tokens if t.type not in ignored for line in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)
