"""How a run looks while it goes: a grid that fills in on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.commands.interrupts import Interrupts
from bench.edges import Edge
from bench.experiment import Watcher
from bench.grid import Grid
from bench.records import Record
from bench.runner import Plan, Progress

TIMING_S = 1.0  # what a cell's step time is expected to take, loading its program included
REPORT_S = 12.0  # and the report
MANY = 8  # cells in a sentence


def duration(seconds: float) -> str:
    """Seconds as 42 s, 3 min 05 s or 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def watcher(console: Console) -> Watcher:
    """The view that suits the console."""
    return Terminal(console) if console.is_terminal else Lines(console)


def _opening(grid: Grid, plan: Plan) -> str:
    cells = f"{len(grid.optimizers)} optimizers x {len(grid.tasks)} tasks x {grid.protocol.replicates} replicates"
    kept = len(plan.wanted) - len(plan.missing)
    words = f"{grid.suite.name}: {cells} = {len(plan.wanted)} units"
    if kept:
        words += f", {'all' if kept == len(plan.wanted) else kept} kept from before"
    if plan.stale:
        words += f", {len(plan.stale)} made by other code, settings or versions and now recomputed"
    if plan.damaged:
        words += f", {len(plan.damaged)} damaged and now recomputed ({', '.join(sorted(plan.damaged)[:3])})"
    for name, why in grid.skipped.items():
        words += f"\nskipped {name}: {why}"
    return words


def _damaged(files: Mapping[str, str]) -> str:
    return "\n".join(f"damaged and now made anew: {file} ({why})" for file, why in files.items())


def _widening(found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> str:
    return (
        f"best settings at the edges of their spaces: {_at_edges(found)}\n"
        f"{before} is kept; now all spaces extended, with {grid.protocol.trials} trials for all, in {folder}"
    )


def _widest(found: Sequence[Edge]) -> str:
    if not found:
        return "no best setting lies at the edge of its space"
    return f"spaces are extended no further; best settings still at the edges of theirs: {_at_edges(found)}"


def _at_edges(found: Sequence[Edge]) -> str:
    cells = dict.fromkeys(f"{e.optimizer} on {e.task} ({e.side} {e.hyperparameter})" for e in found)
    more = f" and {len(cells) - MANY} more" if len(cells) > MANY else ""
    return ", ".join(list(cells)[:MANY]) + more


def _stopping(progress: Progress | None) -> str:
    at_hand = len(progress.running) if progress is not None else 0
    waits = f"{at_hand} unit{'s' if at_hand != 1 else ''} at hand to end" if at_hand else "what is at hand to end"
    return f"stopping: nothing new is begun; waiting for {waits}. Ctrl-C again stops at once"


def _swept_all(progress: Progress) -> str:
    workers = f"{progress.workers:.0f} worker{'s' if round(progress.workers) != 1 else ''}"
    return f"{progress.runs} runs in {duration(progress.seconds)}; {workers}, busy {progress.busy:.0%} of the time"


class _Clock:
    """Time left of a run: of its sweep as the runner sees it, and of the times and the report that follow."""

    def __init__(self, grid: Grid) -> None:
        self._after = len(grid.tasks) * len(grid.optimizers) * TIMING_S + REPORT_S
        self.begin = time.monotonic()

    def left(self, progress: Progress) -> str:
        """The time left in words, or what it waits for."""
        if progress.remaining_s is None:
            return "compiling the first programs"
        return f"about {duration(progress.remaining_s + self._after)} left"


class Lines(Watcher):
    """One line for each unit that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._interrupts = Interrupts()
        self._last: Progress | None = None

    def note(self, words: str) -> None:
        """Says it."""
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> bool:
        """Whether the user wants no more."""
        return self._interrupts.asked

    def close(self) -> None:
        """Leaves Ctrl-C to others."""
        self._interrupts.rest()

    def _print(self, words: str) -> None:
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def preparing(self, task: str) -> None:
        """Says whose data is fetched."""
        self._print(f"preparing the data of {task}")

    def damaged(self, files: Mapping[str, str]) -> None:
        """Says which files."""
        self._print(_damaged(files))

    def planned(self, grid: Grid, plan: Plan) -> None:
        """Says what is to be done."""
        self._clock = _Clock(grid)
        self._last = None
        self._interrupts.watch(lambda: self._print(_stopping(self._last)))
        self._print(_opening(grid, plan))

    def swept(self, progress: Progress) -> None:
        """Says what has just ended."""
        self._last = progress
        if progress.latest is not None:
            rate = progress.runs / max(progress.seconds, 1e-9)
            self._print(
                f"[{progress.finished}/{progress.total}] {describe(progress.latest)}; "
                f"{rate:.1f} runs/s, {self._clock.left(progress)}"
            )

    def swept_all(self, progress: Progress) -> None:
        """Says what came of it."""
        if progress.runs:
            self.note(_swept_all(progress))

    def timing(self, task: str) -> None:
        """Says which task is timed."""
        self._print(f"step times: {task}")

    def diagnosing(self, what: str, number: int, total: int) -> None:
        """Says what is recorded."""
        self._print(f"diagnostics: {what} ({number} of {total})")

    def widening(self, found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> None:
        """Says what made it go on, and where."""
        self._print(_widening(found, before, grid, folder))

    def widest(self, found: Sequence[Edge]) -> None:
        """Says what is left at edges."""
        self._print(_widest(found))


def describe(record: Record) -> str:
    """A unit's result in a line."""
    task, optimizer = record.cell
    metric = record.meta["metric"]
    train = record.ends("train", "train/loss").mean()
    test = record.ends("valid", f"test/{metric}").mean()
    return f"{task} {optimizer} r{record.meta['replicate']:02d}: training loss {train:.3g}, test {metric} {test:.3f}"


class Terminal(Watcher):
    """Tasks down, optimizers across; each cell shows its replicates and the best training loss so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._best: dict[tuple[str, str], float] = {}
        self._timed: list[str] = []
        self._last: Progress | None = None
        self._interrupts = Interrupts()

    def note(self, words: str) -> None:
        """Says it."""
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> bool:
        """Whether the user wants no more."""
        return self._interrupts.asked

    def _tell(self) -> None:
        self._console.print(_stopping(self._last), markup=False, highlight=False)

    def preparing(self, task: str) -> None:
        """Says whose data is fetched."""
        self._console.print(f"preparing the data of {task}", style="dim", markup=False, highlight=False)

    def damaged(self, files: Mapping[str, str]) -> None:
        """Says which files."""
        self._console.print(_damaged(files), markup=False, highlight=False)

    def planned(self, grid: Grid, plan: Plan) -> None:
        """Says what is to be done, and begins anew: a command may run one grid after another."""
        self._best, self._timed, self._last = {}, [], None
        self._grid = grid
        self._clock = _Clock(grid)
        self._interrupts.watch(self._tell)
        self._console.print(_opening(grid, plan), markup=False, highlight=False)

    def swept(self, progress: Progress) -> None:
        """Redraws the grid."""
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        if progress.latest is not None:
            loss = float(progress.latest.ends("train", "train/loss").mean())
            cell = progress.latest.cell
            self._best[cell] = min(loss, self._best.get(cell, float("inf")))
        self._last = progress
        self._live.update(self._view(progress))

    def swept_all(self, progress: Progress) -> None:
        """Says what came of it."""
        if progress.runs:
            self.note(_swept_all(progress))

    def timing(self, task: str) -> None:
        """Says which task is timed."""
        self._timed.append(task)
        if self._live is not None and self._last is not None:
            line = Text(f"measuring step times: {task} ({len(self._timed)} of {len(self._grid.tasks)})")
            self._live.update(Group(self._table(self._last), line))

    def diagnosing(self, what: str, number: int, total: int) -> None:
        """Says what is recorded."""
        line = Text(f"recording diagnostics: {what} ({number} of {total})")
        if self._live is None:  # nothing was left to sweep
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        self._live.update(line if self._last is None else Group(self._table(self._last), line))

    def widening(self, found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> None:
        """Says what made it go on, and where."""
        self._console.print(_widening(found, before, grid, folder), markup=False, highlight=False)

    def widest(self, found: Sequence[Edge]) -> None:
        """Says what is left at edges."""
        self._console.print(_widest(found), markup=False, highlight=False)

    def close(self) -> None:
        """Closes the view; the grid as it stood stays on the screen. Leaves Ctrl-C to others."""
        self._interrupts.rest()
        if self._live is not None:
            self._live.stop()
            self._live = None
            if self._last is not None:
                self._console.print(self._table(self._last))

    def _view(self, progress: Progress) -> RenderableType:
        rate = progress.runs / max(progress.seconds, 1e-9)
        words = (
            f"{progress.finished} of {progress.total} units, {rate:.1f} runs/s, "
            f"{duration(progress.seconds)} so far, {self._clock.left(progress)}"
        )
        return Group(self._table(progress), Text(words))

    def _table(self, progress: Progress) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        for optimizer in self._grid.optimizers:
            table.add_column(Text(optimizer), justify="right")
        running = {unit.cell for unit in progress.running}
        for task in self._grid.tasks:
            cells = [(task.name, optimizer) for optimizer in self._grid.optimizers]
            table.add_row(Text(task.name), *(self._cell(cell, progress, cell in running) for cell in cells))
        return Group(Text("training loss of the best replicate so far, and replicates done", style="dim"), table)

    def _cell(self, cell: tuple[str, str], progress: Progress, running: bool) -> Text:
        done, replicates = progress.done.get(cell, 0), self._grid.protocol.replicates
        if any(name.startswith("--".join(cell) + "--r") for name in progress.failed):
            return Text("failed", style="red")
        dots = "●" * done + ("◐" if running else "") + "○" * (replicates - done - running)
        loss = f"{self._best[cell]:.2g} " if cell in self._best else ""
        if replicates > 8:
            dots = f"{done}/{replicates}"
        style = "green" if done == replicates else "yellow" if running else "dim"
        return Text(f"{loss}{dots}", style=style)
