"""What a comparison says: verdicts in words, on a terminal, for programs and at the head of a page."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench import calibration, constants, stats
from bench.comparison import Comparison
from bench.constants import RULES
from bench.edges import edges
from bench.files import write_atomically
from reports import boards, measures, page, tables
from reports.boards import Board
from reports.measures import Robustness, Speed
from reports.rows import Row, of_board, to_csv
from reports.tables import chance, number
from reports.verdicts import BETTER, NONE, WORSE, Duel, Verdict, duels
from reports.words import listed

FOLDER = "report"
LOSS = {"optimization": "training loss", "generalization": "test loss"}
DRAWS = 1_000


@dataclass(frozen=True)
class Told:
    """A comparison with all that is made of its results."""

    comparison: Comparison
    boards: Sequence[Board]
    rows: Sequence[Row]
    duels: Sequence[Duel]
    speed: Speed
    robustness: Robustness

    @cached_property
    def compared(self) -> list[dict[str, Any]]:
        """For each pair what is said of it, in words and numbers."""
        return [self._pair(newcomer, rival) for newcomer, rival in self.comparison.pairs]

    def _pair(self, newcomer: str, rival: str) -> dict[str, Any]:
        own = [duel for duel in self.duels if (duel.newcomer, duel.rival) == (newcomer, rival)]
        return {
            "newcomer": newcomer,
            "rival": rival,
            "boards": [board_words(duel) for duel in own],
            "costs": [_targets(self.speed, newcomer, rival), *_costs(self.comparison, newcomer, rival)],
        }

    @cached_property
    def notes(self) -> list[dict[str, Any]]:
        """For each newcomer where it stands among all, what was seen of it and what could be tried next."""
        return [
            {"newcomer": name, "standing": self._standing(name), "seen": self._seen(name), "next": self._next(name)}
            for name in self.comparison.newcomers
        ]

    def _standing(self, name: str) -> list[str]:
        said = []
        for board in self.boards:
            row = next(row for row in of_board(self.rows, board.name) if row.optimizer == name)
            if not row.tier:
                said.append(f"{board.name}: not ranked, for want of results on {row.all_tasks - row.tasks} tasks.")
                continue
            others = [other for other in of_board(self.rows, board.name) if other.tier and other is not row]
            index = board.optimizers.index(name)
            equal = [
                o.optimizer
                for o in others
                if not board.adjusted[index, board.optimizers.index(o.optimizer)] <= stats.LEVEL
            ]
            apart = f"not told apart from {listed(equal)}" if equal else "told apart from all others"
            said.append(
                f"{board.name}: tier {row.tier}, rank {tables.place(row)} of {len(others) + 1}, score {row.score:+.2f} "
                f"({tables.interval(row)}); {apart}."
            )
        return said

    def _seen(self, name: str) -> list[str]:
        o = self.comparison.results.optimizers.index(name)
        cost, low, high = (float(values[o]) for values in self.robustness.costs)
        said = []
        if not math.isnan(cost):
            said.append(
                f"Untuned: its defaults end at {number(cost)} times the loss of the best trial of their search "
                f"({number(low)} to {number(high)}), geometric mean over tasks."
            )
        at = [edge for edge in edges(self.comparison.results) if edge.optimizer == name]
        for by, board in ((rule[0], board) for board, rule in RULES.items()):
            those = [f"{edge.side} {edge.hyperparameter} on {edge.task}" for edge in at if edge.selected_by == by]
            if those:
                said.append(f"At the edge of its search space ({board}): {', '.join(those)}.")
        if not at:
            said.append("No best setting lies at an edge of its search space.")
        failed, tried = (np.nansum(counts[:, o]) for counts in (self.robustness.failed, self.robustness.trials))
        if failed:
            said.append(f"{failed:.0f} of {tried:.0f} trials diverged or ended above their starting loss.")
        lost = sum(row.diverged for row in self.rows if row.optimizer == name)
        if lost:
            said.append(f"{lost} final runs diverged.")
        return said

    def _next(self, name: str) -> list[str]:
        """What the results suggest, each once."""
        own = [duel for duel in self.duels if duel.newcomer == name]
        at = [edge for edge in edges(self.comparison.results) if edge.optimizer == name]
        o = self.comparison.results.optimizers.index(name)
        cost, width = float(self.robustness.costs[0][o]), float(self.robustness.basins[0][o])
        usual = (
            float(np.nanmedian(self.robustness.basins[0])) if np.isfinite(self.robustness.basins[0]).any() else math.nan
        )
        split = [duel for duel in own if duel.here.said != NONE and duel.there.said == NONE]
        first = {(duel.board, duel.here.said) for duel in own}
        failed, tried = (float(np.nansum(of[:, o])) for of in (self.robustness.failed, self.robustness.trials))
        if failed == tried:
            return [
                "No trial ends below its starting loss: look at the sign of its updates, and at how large they are."
            ]
        suggestions = [
            (bool(at), "Widen the search space where its best setting lies at an edge, and compare again."),
            (cost > 3, "Its defaults are far from its best setting: better ones would help whoever does not tune."),
            (
                width < 0.5 * usual,
                "Good learning rates are a narrow band: a rule that scales its step would be easier to tune.",
            ),
            (
                {("optimization", BETTER), ("generalization", WORSE)} <= first,
                "It trains lower and generalizes worse: try it with weight decay, or on tasks with less noise.",
            ),
            (
                bool(split),
                "What holds on these tasks was not shown for tasks like these: data sets of your own, as tasks, would "
                "tell (TASKS=path/to/file.py).",
            ),
            (
                bool(own) and all(duel.here.said == NONE for duel in own),
                "If a difference as small as could not be seen here would matter, decide on more replicates first and "
                "run both anew: adding some to these until one shows would find it in equals.",
            ),
        ]
        return [words for holds, words in suggestions if holds]


def told(comparison: Comparison) -> Told:
    """All that is to be said of a comparison."""
    results = comparison.results
    both = boards.boards(results)
    pairs = [pair for pair in comparison.pairs if set(pair) <= set(results.optimizers)]
    return Told(
        comparison, both, boards.rows(results, both), [duel for board in both for duel in duels(board, pairs)],
        measures.speed(results), measures.robustness(results),
    )  # fmt: skip


def make(told: Told) -> Path:
    """Writes the report of a comparison: page, tables and verdict.json; returns the page.

    Raises:
      UserError: the folder cannot be written.
    """
    results = told.comparison.results
    folder = results.folder / FOLDER
    write_atomically(folder / "leaderboard.csv", to_csv(told.rows).encode())
    write_atomically(folder / "verdict.json", (json.dumps(plain(told), indent=1) + "\n").encode())
    index = folder / "index.html"
    write_atomically(index, page.render(results, told.rows, verdict=shown(told)).encode())
    return index


def shown(told: Told) -> dict[str, Any]:
    """What the head of the page holds."""
    return {
        "newcomers": list(told.comparison.newcomers),
        "rivals": list(told.comparison.rivals),
        "compared": told.compared,
        "notes": told.notes,
        "worth": worth(told.comparison.results.manifest.get("suite", "")),
        "family": family_words(len(told.comparison.pairs), len(told.boards[0].tasks)),
        "unfit": [f"{name}: {why}" for name, why in told.comparison.unfit.items()],
        "effects": [
            {
                "board": duel.board,
                "name": f"{duel.newcomer} beside {duel.rival}",
                "newcomer": told.comparison.results.optimizers.index(duel.newcomer),
                "tasks": list(duel.tasks),
                "said": [verdict.said for verdict in duel.tasks.values()],
                "factor": [_factors(verdict) for verdict in duel.tasks.values()],
                "p": [chance(verdict.p) for verdict in duel.tasks.values()],
            }
            for duel in told.duels
        ],
    }


def plain(told: Told) -> dict[str, Any]:
    """The verdicts for programs; a number that is not there or not finite is null."""

    def known(value: float) -> float | None:
        return value if math.isfinite(value) else None

    def one(verdict: Verdict) -> dict[str, Any]:
        return {name: known(value) if isinstance(value, float) else value for name, value in verdict._asdict().items()}

    return {
        "newcomers": list(told.comparison.newcomers),
        "rivals": list(told.comparison.rivals),
        "unfit": dict(told.comparison.unfit),
        "duels": [
            {
                "board": duel.board, "newcomer": duel.newcomer, "rival": duel.rival, "pairs": duel.family,
                "these_tasks": one(duel.here), "tasks_like_these": one(duel.there),
                "tasks": {task: one(verdict) for task, verdict in duel.tasks.items()},
                "median_loss_ratio": known(duel.median),
            }
            for duel in told.duels
        ],
        "costs": [{key: pair[key] for key in ("newcomer", "rival", "costs")} for pair in told.compared],
        "notes": told.notes,
    }  # fmt: skip


# Words


def board_words(duel: Duel) -> dict[str, Any]:
    """What a board says of a pair."""
    by_said = {
        said: [task for task, verdict in duel.tasks.items() if verdict.said == said] for said in (BETTER, WORSE, NONE)
    }
    shown = [(said, those) for said, those in by_said.items() if those and said != NONE]
    every = len(duel.tasks)
    tasks = [f"{said} on {f'all {every}' if len(those) == every else named(those)}" for said, those in shown]
    if by_said[NONE]:
        seen = [
            verdict.seen
            for task, verdict in duel.tasks.items()
            if task in by_said[NONE] and math.isfinite(verdict.seen)
        ]
        would = f": {share(min(seen))} to {share(max(seen))} would have been seen" if seen else ""
        tasks.append(f"{NONE} on {len(by_said[NONE])}{would}")
    return {
        "board": duel.board,
        "verdict": duel.here.said,
        "here": f"on these {len(duel.tasks)} tasks: {_score(duel.here)}{_lower(duel)}",
        "there": f"on tasks like these: {_score(duel.there)}",
        "tasks": f"task by task: {'; '.join(tasks)}",
    }


def _score(verdict: Verdict) -> str:
    known = "" if math.isnan(verdict.low) else f" ({verdict.low:+.2f} to {verdict.high:+.2f})"
    said = f"{verdict.said}, score {verdict.effect:+.2f}{known}, p {chance(verdict.p)}"
    if verdict.said != NONE:
        return said
    if math.isinf(verdict.seen):
        return f"{said}; so few data sets could show none"
    return said if math.isnan(verdict.seen) else f"{said}; {verdict.seen:.2f} would have been seen"


def _lower(duel: Duel) -> str:
    if not math.isfinite(duel.median):
        return ""
    change, kind = duel.median - 1, f"; on the median task its {LOSS[duel.board]} is"
    if change > 1:
        return f"{kind} {duel.median:.3g} times as high"
    return f"{kind} {abs(change):.1%} {'lower' if change < 0 else 'higher'}"


def named(tasks: Sequence[str]) -> str:
    """How many tasks, and all of their names."""
    return f"{len(tasks)} ({', '.join(tasks)})"


def share(log: float) -> str:
    """A difference of logarithms as a share."""
    return f"{math.expm1(log):.0%}" if log < 3 else f"{math.exp(log):.3g} times"


def family_words(pairs: int, tasks: int) -> str:
    """What p-values are corrected for."""
    one = "one pair, so nothing to correct for" if pairs == 1 else f"Holm-corrected for the {pairs} pairs compared"
    return (
        f"p: two-sided; on all tasks together {one}; of single tasks Holm-corrected for all {pairs * tasks} of them. "
        "Intervals are 95 % and not corrected. Each board is a question of its own. Scores are differences in units of "
        "the tasks' scales: below 0 is better. Would have been seen: the true difference that is shown four times in "
        "five."
    )


def worth(suite: str) -> str:
    """How often such verdicts are wrong, as it was measured; empty where it was not."""
    known = constants.load(suite)
    rows = known.verdicts["false"] if known else ()
    said = [
        f"{row['procedure']} {row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
        for row in rows
        if row["board"] == "optimization" and row["replicates"] == calibration.SIDE
    ]
    return (
        f"Measured on the whole suite: an optimizer is told from itself {listed(said)} of the time, at 5 %."
        if said
        else ""
    )


def _targets(speed: Speed, newcomer: str, rival: str) -> str:
    """Expected evaluations to the targets beside the rival's, with its interval over replicates."""
    n, r = (speed.optimizers.index(name) for name in (newcomer, rival))
    both = np.isfinite(speed.ert[:, n]) & np.isfinite(speed.ert[:, r])
    only = [int((np.isfinite(speed.ert[:, a]) & np.isinf(speed.ert[:, b])).sum()) for a, b in ((n, r), (r, n))]
    missed = "".join(
        f"; only {name} reaches {count} of the targets"
        for name, count in zip((newcomer, rival), only, strict=True)
        if count
    )
    if not both.any():
        return f"No target is reached by both{missed}."
    rng, tasks = np.random.default_rng(0), [int(t) for t in np.flatnonzero(both)]
    drawn = np.array([_redrawn(speed, t, n, rng) / _redrawn(speed, t, r, rng) for t in tasks])
    ratio = np.median(speed.ert[both, n] / speed.ert[both, r])
    low, high = np.quantile(np.median(drawn, axis=0), [stats.LEVEL / 2, 1 - stats.LEVEL / 2])
    paces = speed.step_s[both, n] / speed.step_s[both, r]
    seconds = np.median(speed.ert[both, n] / speed.ert[both, r] * paces)
    timed = "" if np.isnan(seconds) else f" and {seconds:.2f} times the seconds"
    return (
        f"To the targets in training loss it takes {ratio:.2f} times the gradient evaluations ({low:.2f} to {high:.2f})"
        f"{timed}, median over the {both.sum()} tasks that both solve{missed}."
    )


def _redrawn(speed: Speed, t: int, o: int, rng: np.random.Generator) -> stats.Array:
    """`ert` of DRAWS draws of a cell's replicates; the budget a million times over where none of a draw succeeds."""
    cell = speed.times[t, o][~np.isnan(speed.times[t, o]).all(-1)]
    drawn = cell[rng.integers(len(cell), size=(DRAWS, len(cell)))].reshape(DRAWS, -1)
    return np.nan_to_num(np.maximum(stats.ert(drawn, float(speed.budgets[t])), 1.0), posinf=1e6 * speed.budgets[t])


def _costs(comparison: Comparison, newcomer: str, rival: str) -> list[str]:
    """Step time and memory beside the rival's."""
    timings, results = comparison.results.timings, comparison.results
    both = [
        (timings[t, newcomer], timings[t, rival]) for t in results.tasks if {(t, newcomer), (t, rival)} <= set(timings)
    ]
    said = []
    if both:
        on_cpu = all(timing.device == "cpu" for timing, _ in both)
        pick = (lambda timing: timing.step_cpu_s) if on_cpu else (lambda timing: timing.step_s)
        ratios = np.array([np.median(pick(one) / pick(other)) for one, other in both])
        mean = float(np.exp(np.log(ratios).mean()))
        said.append(
            f"A step takes {mean:.2f} times as long ({ratios.min():.2f} to {ratios.max():.2f} over tasks), measured in "
            f"the same rounds{'' if abs(mean - 1) > 0.05 else ': below 5 % is noise'}."
        )
    states = [{**boards.state_ratios(results, name)} for name in (newcomer, rival)]
    shared = [(states[0][task], states[1][task]) for task in results.tasks if task in states[0] and task in states[1]]
    if shared:
        one, other = (float(np.median(values)) for values in zip(*shared, strict=True))
        said.append(f"Its state is {one:.1f} times the parameters; {rival}'s is {other:.1f} times.")
    return said


def _factors(verdict: Verdict) -> list[float | None]:
    """The loss as a multiple of the rival's with its interval."""
    return [math.exp(value) if math.isfinite(value) else None for value in (verdict.effect, verdict.low, verdict.high)]


def lines(told: Told) -> list[str]:
    """The whole of it for a terminal."""
    said: list[str] = []
    for pair in told.compared:
        said.append(f"{pair['newcomer']} beside {pair['rival']}")
        for board in pair["boards"]:
            said.append(f"  {board['board']}: {board['verdict'].upper()}")
            said += [f"    {board[part]}" for part in ("here", "there", "tasks")]
        said += [f"  {words}" for words in pair["costs"]] + [""]
    for note in told.notes:
        said.append(f"{note['newcomer']} among {len(told.comparison.results.optimizers) - 1} others")
        said += [f"  {words}" for words in (*note["standing"], *note["seen"])]
        said += [f"  next: {words}" for words in note["next"]] + [""]
    said += [f"baselines not used: {name}: {why}" for name, why in told.comparison.unfit.items()]
    head = shown(told)
    return [*said, head["family"], *([head["worth"]] if head["worth"] else [])]
