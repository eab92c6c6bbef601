"""Who is best on each task of a board, and who is not told apart from it there: what tables print in bold and mark.

The other verdicts of a report are about all tasks together; these are about one task each, from its replicates alone.
"""

from collections.abc import Mapping, Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from bench import stats
from reports.boards import Board


class Marks(NamedTuple):
    """What a board's table marks.

    Attributes:
      best: by task, who has the lowest mean loss; several where they are equal.
      near: by task, who is not told apart from it; nobody, where the test could tell nobody apart.
      words: what `near` means; or, where nobody could be told apart, why nobody is.
      able: whether on any task anybody could be told apart from the best.
    """

    best: Mapping[str, Sequence[str]]
    near: Mapping[str, Sequence[str]]
    words: str
    able: bool

    def said(self, how: str) -> str:
        """The words, where those that are near are printed so: 'In italics'."""
        return f"{how}: {self.words}" if self.able else self.words


def marks(board: Board) -> Marks:
    """Of a board's scores: `stats.one_task` on scaled scores against the best of the task, Holm over all pairs of those
    on it, as the best is who came out best."""
    best: dict[str, list[str]] = {}
    near: dict[str, list[str]] = {}
    able = []
    for t, task in enumerate(board.tasks):
        means = [float(cell[~np.isnan(cell)].mean()) if (~np.isnan(cell)).any() else np.nan for cell in board.scores[t]]
        there = [o for o, mean in enumerate(means) if not np.isnan(mean)]
        lowest = min((means[o] for o in there), default=np.inf)
        leaders = [o for o in there if means[o] == lowest < np.inf]
        rivals = [o for o in there if o not in leaders]
        best[task] = [board.optimizers[o] for o in leaders]
        near[task] = []
        if not leaders or not rivals or not _able(board.scores[t], leaders[0], rivals):
            continue
        able.append(task)
        found = [stats.one_task(board.z[t, leaders[0]], board.z[t, o]) for o in rivals]
        p = stats.holm(found, family=comb(len(there), 2))
        near[task] = [board.optimizers[o] for o, chance in zip(rivals, p, strict=True) if chance > stats.LEVEL]
    return Marks(best, near, _words(board, able), bool(able))


def _able(scores: stats.Array, leader: int, rivals: Sequence[int]) -> bool:
    """Whether the test could tell any rival apart from the leader: of so many replicates, of so many rivals."""
    counts = (~np.isnan(scores)).sum(-1)
    fewest = [min(int(counts[leader]), int(counts[rival])) for rival in rivals]
    return stats.smallest_p(1, max(fewest)) * comb(len(rivals) + 1, 2) <= stats.LEVEL


def _words(board: Board, able: Sequence[str]) -> str:
    test = (
        f"at the {100 * stats.LEVEL:.0f} % level: the larger p of Welch's and of the permutation test of replicates on "
        "that task, Holm-corrected for all pairs on it"
    )
    if not able:
        replicates, rivals = board.scores.shape[2], len(board.optimizers) - 1
        if not rivals:
            return "There is nobody to compare the best of a task with."
        of = f"{replicates} replicate{'s' * (replicates > 1)}"
        return (
            f"On a single task {of} cannot tell any of {rivals} rivals apart from the best {test}; so nobody is marked "
            "as equal to it, and bold says who came out first and no more."
        )
    where = "" if len(able) == len(board.tasks) else f" Only where the test could tell anyone apart: {', '.join(able)}."
    return f"not told apart from the best of the task {test}.{where}"
