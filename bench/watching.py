"""Who is told how a run goes, and may stop it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.edges import Edge
from bench.grid import Grid
from bench.runner import Plan, Progress


class Watcher:
    """Is told how a run goes; this one keeps it to itself."""

    def preparing(self, task: str) -> None:
        """A task's data is about to be fetched or made for the first time."""

    def damaged(self, files: Mapping[str, str]) -> None:
        """Files beside the units, each with what is wrong with it, are made anew."""

    def planned(self, grid: Grid, plan: Plan) -> None:
        """The work is known, if there is any, and about to begin."""

    def swept(self, progress: Progress) -> None:
        """Called several times a second during the sweep."""

    def swept_all(self, progress: Progress) -> None:
        """The sweep is over."""

    def timing(self, task: str) -> None:
        """A task's step times are about to be measured."""

    def diagnosing(self, what: str, number: int, total: int) -> None:
        """Why a run went as it did is about to be recorded, the `number`-th of `total`."""

    def note(self, words: str) -> None:
        """Something about the workers that a user should know."""

    def stop(self) -> bool:
        """Whether to begin nothing more: what is at hand is finished, and the run ends by KeyboardInterrupt."""
        return False

    def close(self) -> None:
        """The work has ended, well or not."""

    def widening(self, found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> None:
        """The run in `before` has best settings at edges; `grid`, of wider spaces, is about to run in `folder`."""

    def widest(self, found: Sequence[Edge]) -> None:
        """Spaces are not extended any further; these best settings lie at edges, if any."""
