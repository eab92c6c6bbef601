"""How an optimizer looks: one colour, marker and dash wherever a run's report shows it, in still or moving pictures.

The ten colours were searched for by simulated annealing from common ones for the colour-blind: any two are more than 13
apart (CIEDE2000) under simulated protanopia, deuteranopia and tritanopia (Machado et al., 2009) and more than 21 to
others, none is grey, and as lines they have a contrast of at least 2 on white and on a dark ground (#15181c). Markers
and dashes carry them in greyscale. Light on purpose: nothing that draws is imported.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reports.boards import Board

COLORS = (  # the most different first
    "#0c7cfe", "#e97905", "#941060", "#aeaa7a", "#6d4f01", "#d595a9", "#573bb4", "#a7aae2", "#248a6d", "#cf394b",
)  # fmt: skip
MARKERS = "osD^vPp<>*"  # no cross: that is a miss
DASHES = ((), (4, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5), (2.5, 1))
GREY = "#bdbdbd"  # of those behind
FOREMOST = 8  # that stand out among more than there are colours


class Look(NamedTuple):
    """How an optimizer looks.

    Attributes:
      color: as #rrggbb.
      marker: as Matplotlib calls it.
      dash: lengths of strokes and gaps in turn, in widths of the line; empty for a whole line.
    """

    color: str
    marker: str
    dash: tuple[float, ...]


def looks(optimizers: Sequence[str]) -> dict[str, Look]:
    """A look for each, by its place: ten colours, and no colour with the same marker twice among the first hundred."""
    return {
        name: Look(
            COLORS[i % len(COLORS)],
            MARKERS[(i + i // len(COLORS)) % len(MARKERS)],
            DASHES[(i + i // len(COLORS)) % len(DASHES)],
        )
        for i, name in enumerate(optimizers)
    }


def foremost(boards: Sequence["Board"]) -> list[str]:
    """Who stands out, in the order of the run: all where there are colours enough, else the first of both boards, taken
    from them in turns."""
    names = list(boards[0].optimizers)
    if len(names) <= len(COLORS):
        return names
    turns = [names[o] for places in zip(*(board.order for board in boards), strict=True) for o in places]
    first = list(dict.fromkeys(turns))[:FOREMOST]
    return [name for name in names if name in first]


def of(boards: Sequence["Board"]) -> dict[str, Look]:
    """The looks of a run's optimizers, given out in the order of the run, but where there are more than colours to the
    foremost first, so that these have different ones."""
    names, first = list(boards[0].optimizers), foremost(boards)
    look = looks([*first, *(name for name in names if name not in first)])
    return {name: look[name] for name in names}
