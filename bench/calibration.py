"""What a verdict is worth, measured: how often a procedure tells an optimizer from itself, and what it sees.

An optimizer run again is another one by name only, so disjoint sets of its replicates are the fairest test of a
procedure: any difference that it finds is false. Pure functions of a pool's scores, scaled: z (tasks, optimizers,
replicates), without a missing replicate.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from bench import stats
from bench.stats import Array

Procedure = Callable[[Array, Array], float]  # replicates of two optimizers, z (T, Ra) and (T, Rb), to a p-value

# By board, z (T, R) of an optimizer and of what was made of it.
Effect = tuple[dict[str, Array], dict[str, Array]]

MOST = 0.08  # false positives, at the upper end of their interval, of a verdict that is shipped
PAIRS = 300  # drawn of each optimizer, of each board
BOARDS = 40  # drawn of each optimizer


@dataclass(frozen=True)
class Rate:
    """How often something was said.

    Attributes:
      share: of the draws.
      low, high: its 95 % interval (Clopper & Pearson, 1934), for as many draws as they are worth.
      pairs: what the draws are worth, as they share replicates: that many independent ones.
      drawn: how many there were.
    """

    share: float
    low: float
    high: float
    pairs: float
    drawn: int


def rate(said: Sequence[Sequence[bool]], disjoint: int) -> Rate:
    """The rate of something said in draws that come in independent groups, as those of one optimizer do.

    Draws of one group share replicates, so they are worth fewer. How many shows in how far the groups' shares are
    apart: of n independent draws they would be sqrt(p (1 - p) / n) apart. Where all groups are alike that tells
    nothing, and they are worth no more than the `disjoint` ones that could have been drawn.
    """
    shares = np.array([np.mean(group) for group in said])
    drawn, share = sum(len(group) for group in said), float(shares.mean())
    variance = float(shares.var(ddof=1)) / len(shares) if len(shares) > 1 else 0.0
    worth = min(drawn, share * (1 - share) / variance if variance > 0 else disjoint)
    low, high = stats.clopper_pearson(share * worth, worth)
    return Rate(share, low, high, float(worth), drawn)


def halves(
    replicates: int, a: int, b: int, tasks: int, draws: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Disjoint sets of `a` and of `b` of so many replicates, drawn for each task anew, as tasks' are independent.

    Yields two int (tasks, a) and (tasks, b), `draws` times.
    """
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        order = rng.random((tasks, replicates)).argsort(axis=1)
        yield order[:, :a], order[:, a : a + b]


def false_positives(z: Array, procedure: Procedure, a: int, b: int, draws: int = PAIRS, seed: int = 0) -> Rate:
    """How often a procedure tells `a` replicates of an optimizer from `b` others of the same one."""
    tasks, optimizers, replicates = z.shape
    said = []
    for o in range(optimizers):
        sets = halves(replicates, a, b, tasks, draws, seed + o)
        said.append([procedure(_of(z[:, o], one), _of(z[:, o], other)) <= stats.LEVEL for one, other in sets])
    return rate(said, optimizers * (replicates // (a + b)))


def power(z: Array, other: Array, procedure: Procedure, a: int, b: int, draws: int = PAIRS, seed: int = 0) -> float:
    """How often a procedure tells `a` replicates of one optimizer, z (T, R), from `b` of another."""
    rng = np.random.default_rng(seed)

    def some(values: Array, count: int) -> Array:
        order = rng.random(values.shape).argsort(axis=1)[:, :count]
        return _of(values, order)

    return float(np.mean([procedure(some(z, a), some(other, b)) <= stats.LEVEL for _ in range(draws)]))


def told_apart(z: Array, size: int, names: int, draws: int = BOARDS, seed: int = 0) -> Rate:
    """How often a board of one optimizer under so many names, each with `size` replicates, has more than one tier."""
    tasks, pool, replicates = z.shape
    rng = np.random.default_rng(seed)
    said = []
    for o in range(pool):
        several = []
        for _ in range(draws):
            order = rng.random((tasks, replicates)).argsort(axis=1)[:, : size * names]
            tier, _ = stats.tiers(_of(z[:, o], order).reshape(tasks, names, size))
            several.append(bool(tier.max() > 1))
        said.append(several)
    return rate(said, pool * (replicates // (size * names)))


def board_power(z: Array, plain: Array, changed: Array, size: int, draws: int = BOARDS, seed: int = 0) -> float:
    """How often a board tells a changed optimizer, z (T, R), from the plain one, both beside all of the pool, corrected
    for all of its pairs."""
    rng = np.random.default_rng(seed)
    told = 0
    for _ in range(draws):
        several = [plain, changed, *z.swapaxes(0, 1)]
        board = np.stack([_of(values, rng.random(values.shape).argsort(axis=1)[:, :size]) for values in several], 1)
        p = stats.pairwise(board)
        pairs = np.triu_indices(len(p), 1)
        told += bool(stats.usual_control(len(p)).adjust(p[pairs])[0] <= stats.LEVEL)  # the first pair is these two
    return told / draws


def missed(z: Array, size: int, draws: int = BOARDS, seed: int = 0) -> Rate:
    """How often the interval of a score from `size` replicates does not hold the score from the whole pool."""
    _, optimizers, replicates = z.shape
    truth, rng = stats.means(z), np.random.default_rng(seed)
    said: list[list[bool]] = [[] for _ in range(optimizers)]
    for _ in range(draws):
        order = rng.random(z.shape).argsort(axis=2)[..., :size]
        low, high = stats.bootstrap(np.take_along_axis(z, order, axis=2))
        for o in range(optimizers):
            said[o].append(not low[o] <= truth[o] <= high[o])
    return rate(said, optimizers * (replicates // size))


@dataclass(frozen=True)
class Stability:
    """How far two boards of the same optimizers, of disjoint replicates, agree.

    Attributes:
      tau: mean of Kendall's tau of their scores.
      low, high: 95 % interval of that mean, for the pairs that are disjoint from each other.
      lowest: of the pairs' taus.
      contradicted: pairs of optimizers in different tiers of both boards, but the other way round; of `apart`, those in
        different tiers of either.
      boards: pairs of boards drawn; `disjoint` of them share no replicate.
    """

    tau: float
    low: float
    high: float
    lowest: float
    contradicted: int
    apart: int
    boards: int
    disjoint: int


def stability(z: Array, size: int, rounds: int = 5, seed: int = 0) -> Stability:
    """Agreement of boards of `size` replicates, from pools split into pairs of boards `rounds` times.

    The interval is a t interval for as many pairs as one split has: splitting again adds little that is new.
    """
    from scipy.special import stdtrit

    _tasks, _optimizers, replicates = z.shape
    rng = np.random.default_rng(seed)
    pairs = replicates // (2 * size)
    taus, against, apart = [], 0, 0
    for _ in range(rounds):
        order = rng.random(z.shape).argsort(axis=2)
        mixed = np.take_along_axis(z, order, axis=2)
        for pair in range(pairs):
            both = [mixed[..., (2 * pair + half) * size :][..., :size] for half in (0, 1)]
            scores = [stats.means(half) for half in both]
            taus.append(stats.kendall_tau(*scores))
            (one, _), (other, _) = (stats.tiers(half) for half in both)
            wrong, told = stats.contradictions(one, other, *scores)
            against, apart = against + wrong, apart + told
    mean = float(np.mean(taus))
    half = float(stdtrit(pairs - 1, 0.975) * np.std(taus, ddof=1) / np.sqrt(pairs)) if pairs > 1 else float("inf")
    return Stability(mean, mean - half, min(1.0, mean + half), min(taus), against, apart, len(taus), pairs)


def one_task_family(a: Array, b: Array) -> float:
    """The least p-value of the tasks' own tests, corrected for their number: whether any task is said to differ."""
    return float(stats.holm([stats.one_task(x, y) for x, y in zip(a, b, strict=True)]).min())


def like_these(groups: Sequence[str]) -> Procedure:
    """The test for tasks like these, of a grid whose tasks are on the data sets `groups`."""

    def procedure(a: Array, b: Array) -> float:
        return stats.sign_flip(np.nanmean(a, axis=1) - np.nanmean(b, axis=1), groups)

    return procedure


BOARD = 3  # replicates of a board
SIDE = 8  # of each side of a comparison with stored baselines

# By name: from the data sets of the tasks to the procedure, and the replicates of a side that it is used with.
PROCEDURES: Mapping[str, tuple[Callable[[Sequence[str]], Procedure], tuple[int, ...]]] = {
    "on these tasks": (lambda data: stats.permutation_test, (BOARD, SIDE)),
    "on tasks like these": (like_these, (BOARD, SIDE)),
    "on any one task": (lambda data: one_task_family, (SIDE,)),
}


def verdicts(
    pools: Mapping[str, Array], effects: Mapping[str, Effect], data: Sequence[str], optimizers: int, workers: int = 1
) -> dict[str, Any]:
    """What procedures are worth, as plain values: false positives, power against known effects, stability of ranks.

    Args:
      pools: by board, z of the pool.
      effects: by what was changed.
      data: the data set of each task.
      optimizers: on a board.
      workers: processes.
    """
    of_boards, of_pairs, ranks = [], [], []
    for board, z in pools.items():
        known = {effect: (plain[board], changed[board]) for effect, (plain, changed) in effects.items()}
        of_boards += [partial(_tiers, board, z, known, optimizers), partial(_interval, board, z)]
        for name, (_, sizes) in PROCEDURES.items():
            of_pairs += [partial(_pair, board, z, known, name, size, data) for size in sizes]
        ranks += [partial(_ranks, board, z, size) for size in (BOARD, 5)]
    jobs = [*of_boards, *of_pairs, *ranks]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(_done, jobs))
    count = len(jobs) - len(ranks)
    order = {board: index for index, board in enumerate(pools)}
    return {"false": sorted(rows[:count], key=lambda row: order[row["board"]]), "stability": rows[count:]}


def _done(job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return job()


def _pair(
    board: str, z: Array, effects: Mapping[str, tuple[Array, Array]], name: str, size: int, data: Sequence[str]
) -> dict[str, Any]:
    procedure = PROCEDURES[name][0](data)
    return {
        **{"board": board, "procedure": name, "replicates": size, "design": f"{size} v {size}"},
        **asdict(false_positives(z, procedure, size, size)),
        "power": {effect: power(plain, changed, procedure, size, size) for effect, (plain, changed) in effects.items()},
    }


def _tiers(board: str, z: Array, effects: Mapping[str, tuple[Array, Array]], names: int) -> dict[str, Any]:
    return {
        **{"board": board, "procedure": "tiers of a board", "replicates": BOARD, "design": str(BOARD), "names": names},
        **asdict(told_apart(z, BOARD, names)),
        "power": {effect: board_power(z, plain, changed, BOARD) for effect, (plain, changed) in effects.items()},
    }


def _interval(board: str, z: Array) -> dict[str, Any]:
    return {
        **{"board": board, "procedure": "interval of a score", "replicates": BOARD, "design": str(BOARD)},
        **asdict(missed(z, BOARD)),
        "power": {},
    }


def _ranks(board: str, z: Array, size: int) -> dict[str, Any]:
    return {"board": board, "replicates": size, **asdict(stability(z, size))}


def unfit(measured: Mapping[str, Any]) -> list[str]:
    """The verdicts that are wrong too often to be shipped, in words."""
    return [
        f"{row['procedure']}, {row['replicates']} replicates, {row['board']}: {row['low']:.1%} to {row['high']:.1%}"
        for row in measured["false"]
        if row["low"] > stats.LEVEL or row["high"] > MOST
    ]


def table(measured: Mapping[str, Any]) -> str:
    """`verdicts` as Markdown."""
    effects = list(dict.fromkeys(effect for row in measured["false"] for effect in row["power"]))
    heads = ["board", "verdict", "replicates", "false positives", "95 % interval", "worth", *effects]
    lines = [heads, ["---", "---", *["--:"] * (len(heads) - 2)]]
    for row in measured["false"]:
        seen = row["power"]
        lines.append(
            [
                row["board"],
                row["procedure"],
                row["design"],
                f"{row['share']:.1%}",
                f"{row['low']:.1%} to {row['high']:.1%}",
                f"{row['pairs']:.0f}",
                *(f"{seen[effect]:.0%}" if effect in seen else "" for effect in effects),
            ]
        )
    heads = ["board", "replicates", "Kendall's tau", "95 % interval", "lowest", "pairs of boards", "contradicted"]
    ranks = [heads, ["---", *["--:"] * 6]]
    for row in measured["stability"]:
        interval = f"{row['low']:.2f} to {row['high']:.2f}"
        boards = f"{row['boards']}, {row['disjoint']} disjoint"
        against = f"{row['contradicted']} of {row['apart']}"
        tau = (f"{row['tau']:.2f}", interval, f"{row['lowest']:.2f}")
        ranks.append([row["board"], str(row["replicates"]), *tau, boards, against])
    return "\n\n".join("\n".join(f"| {' | '.join(line)} |" for line in part) for part in (lines, ranks))


def _of(values: Array, order: np.ndarray) -> Array:
    """Replicates by task: values (T, R) and int (T, n) to (T, n)."""
    return np.take_along_axis(values, order, axis=1)
