"""Reports: a run's results in, leaderboards, figures and a page out. Nothing here trains.

    RUN/report/index.html                   the page, one file that needs no network
    RUN/report/leaderboard.csv, .md, .tex   both boards, and in the .md those of speed and robustness
    RUN/report/speed.csv, robustness.csv    these
    RUN/report/figures/NAME.png, .svg, .pdf
    RUN/report-30/                          the same of the run read at 30 % of its budget, where it was asked for
    RUN/report/figures/column/              some of them as wide as a column of text, and captions.md

Importing this, and printing a board that is already made, is instant: what draws is imported where it is needed.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import constants, traces
from bench.code import code_digest
from bench.errors import UserError
from bench.files import TEXT, Unreadable, content_of, write_atomically
from bench.microbench.results import newest
from bench.results import Results

if TYPE_CHECKING:
    from rich.console import Console

    from bench.microbench.results import Microbench
    from reports.boards import Board
    from reports.drawing import Drawn
    from reports.rows import Row

FOLDER = "report"
STAMP = ".made-from"
PARTS = ("page", "tables", "figures")


def folder_of(results: Results) -> Path:
    """Where the report of a run is, or that of a run read at a share of its budget, by percent."""
    return results.folder / (FOLDER if results.share == 1 else f"{FOLDER}-{100 * results.share:.6g}")


def read_at(results: Results) -> str:
    """At which share of the budget a run is read, in a sentence; empty for all of it."""
    if results.share == 1:
        return ""
    return f"Read at {100 * results.share:.6g} % of the budget, with the settings that were tuned for all of it."


def make(results: Results, folder: Path, measured: Path | None = None, parts: Collection[str] = PARTS) -> Path:
    """Writes the report into `folder` and returns its page; with the microbenchmarks in the file `measured`.

    Args:
      parts: of PARTS, which to make.

    Raises:
      UserError: the folder cannot be written.
    """
    from bench.microbench import results as microbench
    from reports import boards, words

    speed, unread = None, []
    try:
        speed = None if measured is None else microbench.read(measured)
    except UserError as error:
        unread = [("damaged", "microbenchmarks", str(error))]
    both = boards.boards(results)
    rows = boards.rows(results, both)
    known = constants.load(str(results.manifest.get("suite", "")))
    asked = results.manifest
    worth = words.worth(known.verdicts, asked["replicates"], len(results.optimizers)) if known else ""
    if "tables" in parts:
        for name, text in _tables(results, both, rows, worth).items():
            write_atomically(folder / name, text.encode())
    if "figures" in parts:
        _draw(results, both, speed, folder)
    index = folder / "index.html"
    if "page" in parts:
        from reports import page

        write_atomically(index, page.render(results, rows, speed, unread, worth).encode())
    return index


def _draw(results: Results, both: "Sequence[Board]", speed: "Microbench | None", folder: Path) -> None:
    """Draws and writes the figures; what draws is imported only here, as it takes a second."""
    from reports import column, figures

    pictures = figures.draw_all(results, both, speed)
    for drawn in pictures:
        for ending, content in drawn.files.items():
            write_atomically(folder / drawn.folder / f"{drawn.name}.{ending}", content)
    _remove_others(folder, pictures)
    write_atomically(folder / column.FOLDER / "captions.md", column.captions(pictures, read_at(results)).encode())


def _remove_others(folder: Path, pictures: "Sequence[Drawn]") -> None:
    """Removes figures of an earlier report that are none of this one."""
    from reports import column, drawing

    kept = {folder / drawn.folder / f"{drawn.name}.{ending}" for drawn in pictures for ending in drawn.files}
    for place in (drawing.FOLDER, column.FOLDER):
        for path in (folder / place).glob("*.*"):
            if path.suffix.strip(".") in drawing.FORMATS and path not in kept:
                path.unlink()


def _tables(results: Results, both: "Sequence[Board]", rows: "Sequence[Row]", worth: str) -> dict[str, str]:
    """The files of tables, by name."""
    from reports import latex, standings, tables
    from reports.marks import marks
    from reports.rows import to_csv

    more = standings.standings(results)
    marked = {board.name: marks(board) for board in both}
    told = [f"{said}\n"] if (said := read_at(results)) else []
    told += [tables.to_markdown(rows, marked, worth), *([standings.to_markdown(more)] if more else [])]
    return {
        "leaderboard.csv": to_csv(rows),
        "leaderboard.md": "\n".join(told),
        "leaderboard.tex": latex.to_latex(rows, marked, read_at(results)),
        **{f"{standing.name}.csv": standings.to_csv(standing) for standing in more},
    }


def ensure(results: Results, rebuild: bool = False, parts: Collection[str] = PARTS) -> Path:
    """Makes the report of a run in its own folder, unless it is there, made from these very results by this code.

    The last microbenchmarks that were kept beside the run's folder, in `microbench`, are shown with it.

    Args:
      parts: of PARTS; fewer than all are made whatever is there, and never taken for a whole report.

    Raises:
      UserError: the folder cannot be written.
    """
    folder = folder_of(results)
    stamp, index = folder / STAMP, folder / "index.html"
    measured = newest(results.folder.parent / "microbench")
    if not set(PARTS) <= set(parts):
        return make(results, folder, measured, parts)  # what it changes is no longer what the stamp is of
    wanted = _digest(results, measured)
    if rebuild or _kept(stamp) != f"{wanted} {_outputs(folder)}".encode():
        make(results, folder, measured, parts)
        write_atomically(stamp, f"{wanted} {_outputs(folder)}".encode())
    return index


def _kept(path: Path) -> bytes:
    """What a file says; nothing where there is none, or something else under its name."""
    try:
        return content_of(path, TEXT)
    except (FileNotFoundError, Unreadable):
        return b""


def _outputs(folder: Path) -> str:
    """Hash of the files of a report, so that one that was changed or lost is made again."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != STAMP):
        digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def print_boards(results: Results, console: "Console", parts: Collection[str] = PARTS) -> None:
    """Prints both boards, if they are among the parts, and where the report is, from files that are there."""
    folder = folder_of(results)
    if said := read_at(results):
        console.print(f"{said}\n", markup=False, highlight=False)
    if "tables" in parts:
        _print_tables(folder, console)
    made = f"page: {folder / 'index.html'}" if "page" in parts else f"made: {folder}"
    console.print(made, markup=False, highlight=False, soft_wrap=True)


def _print_tables(folder: Path, console: "Console") -> None:
    from reports import tables, words
    from reports.rows import of_board, read_csv

    rows = read_csv(folder / "leaderboard.csv")
    for name in tables.SUBJECTS:
        own = of_board(rows, name)
        if own:
            console.print(tables.terminal_table(own, console.width))
        console.print(words.answer(own), markup=False, highlight=False)
        console.print()
    cautions = [caution for name in tables.SUBJECTS for caution in words.cautions(of_board(rows, name))]
    for caution in dict.fromkeys(cautions):
        console.print(caution, markup=False, highlight=False)


def _digest(results: Results, measured: Path | None) -> str:
    """What a report is made from: the results, the code and template that make it, and the frozen constants."""
    here = Path(__file__).parent
    bench = here.parent / "bench"
    of_bench = ("constants", "edges", "results", "records", "traces", "microbench/results")
    code = [*sorted(here.glob("*.py")), *sorted((bench / "stats").glob("*.py"))]
    digest = hashlib.sha256(code_digest(*code, *(bench / f"{name}.py" for name in of_bench)).encode())
    templates = sorted(file for file in (here / "templates").rglob("*") if file.is_file())
    for file in (*templates, *sorted(constants.FOLDER.glob("*.json"))):
        digest.update(file.read_bytes())
    digest.update(json.dumps([dict(results.manifest), dict(results.damaged)], sort_keys=True).encode())
    for record in results.units:
        digest.update(json.dumps(dict(record.meta), sort_keys=True).encode())
        for name in sorted(record.arrays):
            digest.update(record.arrays[name].tobytes())
    for cell, timing in sorted(results.timings.items()):
        digest.update(f"{cell} {timing.step_s.tolist()} {timing.step_cpu_s.tolist()}".encode())
    for path in traces.kept(results.folder):
        digest.update(f"{path.name} {hashlib.sha256(_kept(path)).hexdigest()}".encode())
    if measured is not None:
        digest.update(measured.read_bytes())
    return digest.hexdigest()
