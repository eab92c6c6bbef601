"""One update of a rule, as a training loop does it, beside the same rule in optax: equal settings, equal results."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import optimizers
from bench.microbench.results import Goal
from bench.microbench.turns import Pace, grows, in_turns

PyTree = Any
RATE = 1e-3
KINDS = ("mlp", "leaves", "matrix")
LEAST_S = 0.03  # half a measurement
MOST = 2**14  # updates in it
CLOSE = 1e-3  # of the way that parameters went, in float32


@dataclass(frozen=True)
class Rival:
    """A rule that both have.

    Attributes:
      ours: spec of ours.
      theirs: attribute of optax.
      flags: its arguments, so that it is the same rule.
      same: whether it is; if not, only the work is alike.
      kinds: of parameters that it is measured on.
    """

    ours: str
    theirs: str
    flags: Mapping[str, Any] = field(default_factory=dict)
    same: bool = True
    kinds: tuple[str, ...] = KINDS


RIVALS = (
    Rival("sgd", "sgd"),
    Rival("momentum", "sgd", {"momentum": 0.9}),
    Rival("nesterov", "sgd", {"momentum": 0.9, "nesterov": True}),
    Rival("adagrad", "adagrad", {"initial_accumulator_value": 0.0, "eps": 1e-10}),
    Rival("rmsprop", "rmsprop", {"decay": 0.9, "eps": 1e-8, "eps_in_sqrt": False}),
    Rival("adam", "adam"),
    Rival("adamw(weight_decay=0.01)", "adamw", {"weight_decay": 0.01}),
    Rival("adadelta", "adadelta", {"rho": 0.9, "eps": 1e-6}),
    Rival("adamax", "adamax"),
    Rival("nadam(variant='constant')", "nadam"),
    Rival("radam", "radam"),
    Rival("amsgrad", "amsgrad", {"bias_correction_mu": False, "bias_correction_nu": False}),
    Rival("adabelief(eps=1e-16)", "adabelief"),
    Rival("yogi", "yogi"),
    Rival("lion", "lion", {"weight_decay": 0.0}),
    Rival("sign_sgd", "sign_sgd"),
    Rival("signum", "signum"),
    Rival("ademamix", "contrib.ademamix", {"weight_decay": 0.0}),
    Rival("adopt", "contrib.adopt"),
    Rival("schedule_free_sgd", "contrib.schedule_free_sgd"),
    Rival("schedule_free_adamw", "contrib.schedule_free_adamw"),
    Rival("prodigy(bias_correction=True)", "contrib.prodigy"),
    Rival("dog", "contrib.dog", {"init_step": ("heuristic", 1e-6)}),
    Rival("dowg", "contrib.dowg"),
    # Of 1,000 arrays optax's takes a quarter of an hour and 13 GB to compile, and it is no elementwise rule.
    Rival("lbfgs(line_search=False)", "lbfgs", {"linesearch": None}, same=False, kinds=("mlp", "matrix")),
    Rival("rprop", "rprop", same=False),
    Rival("lamb", "lamb"),
    Rival("lars", "lars"),
    Rival("novograd(b1=0.9, b2=0.25, eps=1e-06)", "novograd"),
    Rival("fromage", "fromage"),
    Rival("sm3(momentum=0.9)", "sm3", {"momentum": 0.9}),
    Rival("adafactor", "adafactor", same=False),
    Rival("muon", "contrib.muon", same=False),
)


def tree(kind: str) -> PyTree:
    """Parameters: of a perceptron, 1,000 small leaves, or one matrix."""
    rng = np.random.RandomState(0)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.standard_normal(shape) / np.sqrt(shape[0]), jnp.float32)

    widths = (784, 128, 64, 10)
    return {
        "mlp": lambda: [{"kernel": draw(a, b), "bias": draw(b)} for a, b in pairwise(widths)],
        "leaves": lambda: [draw(8) for _ in range(1000)],
        "matrix": lambda: draw(2048, 2048),
    }[kind]()


class Side:
    """A rule's updates in one compiled loop, down a paraboloid, so that no gradient is like the one before.

    Attributes:
      start: the parameters that it begins with.
      length: half as many updates as are timed at once.
    """

    def __init__(self, tx: optax.GradientTransformation, params: PyTree) -> None:
        def run(params: PyTree, state: PyTree, length: jax.Array) -> PyTree:
            def update(_: jax.Array, carry: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
                params, state = carry
                grads = jax.tree.map(lambda p: 0.1 * p + 0.3, params)
                updates, state = tx.update(grads, state, params)
                return optax.apply_updates(params, updates), state

            return jax.lax.fori_loop(0, length, update, (params, state))[0]

        self.start, self.length = params, 1
        self._state = jax.jit(tx.init)(params)
        self._run = jax.jit(run).lower(params, self._state, jnp.int32(1)).compile()

    def after(self, length: int) -> np.ndarray:
        """The parameters after that many updates, as one vector."""
        return np.asarray(ravel_pytree(self._run(self.start, self._state, jnp.int32(length)))[0], np.float64)

    def seconds(self, length: int) -> np.ndarray:
        """(wall, process) seconds of that many updates, and of what a call takes beside them."""
        steps = jnp.int32(length)
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(self._run(self.start, self._state, steps))
        return np.array([time.perf_counter() - wall, time.process_time() - cpu])

    def updates(self, length: int) -> np.ndarray:
        """(wall, process) seconds of the updates alone: what a call without any takes, for a thousand arrays in and out
        more than a hundred updates, is taken off."""
        return self.seconds(length) - np.median([self.seconds(0) for _ in range(3)], axis=0)

    def settle(self) -> None:
        """Finds how many updates to time, and whether their time is one.

        Raises:
          UnsoundTiming: it is not.
        """
        self.seconds(1)
        least = max(LEAST_S, self.seconds(0)[0])  # what is taken off must not be the larger part
        while self.length < MOST and self.updates(self.length)[0] < least:
            self.length *= 2
        moved = float(np.linalg.norm(self.after(8) - ravel_pytree(self.start)[0]))
        grows(lambda: self.updates(self.length)[1], lambda: self.updates(2 * self.length)[1], moved)

    def pace(self) -> Pace:
        """Updates a second."""
        wall, cpu = self.updates(2 * self.length)
        return Pace(2 * self.length / wall, 2 * self.length / cpu)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.ours)
def bench_updates(benchmark: Any, rounds: int, rival: Rival, kind: str) -> None:
    """Our updates a second of process time as a multiple of optax's."""
    params, optimizer = tree(kind), optimizers.get(rival.ours)
    if kind not in rival.kinds:
        pytest.skip("its program takes too long to compile")
    if kind == "leaves" and not optimizer.flat:
        pytest.skip("to this rule leaves matter, so that it takes them one by one, as optax does")
    constructor: Callable[..., Any] = attrgetter(rival.theirs)(optax)
    theirs = Side(constructor(RATE, **rival.flags), params)
    ours = Side(optimizer.make(learning_rate=RATE), ravel_pytree(params)[0] if optimizer.flat else params)
    if rival.same:
        start = ravel_pytree(params)[0]
        one, other = ours.after(8) - start, theirs.after(8) - start
        assert np.linalg.norm(one - other) <= CLOSE * np.linalg.norm(other), "the two are not the same rule"
    for side in (ours, theirs):
        side.settle()
    goal = Goal(10.0) if kind == "leaves" else Goal(0.95, beyond=1.0)
    in_turns(benchmark, ours.pace, theirs.pace, goal, rounds, by_cpu=True)
    benchmark.extra_info["same"] = rival.same
