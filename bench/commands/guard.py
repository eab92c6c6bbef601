"""`optgrid compare NAME@OLD NAME@NEW`: whether two versions of the code, or of JAX, compute the same."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.drift import Cell

SHOWN = 12  # cells that are listed, those that differ most first


def main(specs: Sequence[str], suite: str) -> int:
    """Prints 'same', or what moved and where first; 1 if anything did."""
    name, places = _sides(specs)
    from bench import worker
    from bench.machine import Slot

    os.environ.update(worker.environment(Slot(core=0)))  # before JAX is imported: programs as runs have them
    import numpy as np
    from rich.progress import track

    from bench import drift, revisions
    from bench.behaviour import SIZES, alike

    folders, behaviours = [], []
    for place in places:
        folder, behaviour = (Path(place), None) if Path(place).is_dir() else revisions.run(place, name, suite)
        folders.append(folder)
        behaviours.append(behaviour)
    moved = False
    if all(behaviours):
        old, new = (np.load(str(file)) for file in behaviours)
        moved = not alike(old, new)
        print(
            f"{name}, {old.shape[1]} steps down quadratics, gradients of {len(SIZES)} sizes: {_path(old, new, moved)}"
        )
    found = drift.compare(folders[0], folders[1], None if name == "all" else name)
    cells = list(track(found, "comparing", transient=True, disable=not sys.stderr.isatty()))
    if not cells:
        raise UserError(f"{folders[0]} and {folders[1]} have no unit of {name} in common")
    _show(cells)
    agree = all(cell.agrees for cell in cells)
    print("same" if agree and not moved else "not the same")
    return int(moved or not agree)


def _sides(specs: Sequence[str]) -> tuple[str, list[str]]:
    """The optimizer, and where its old and its new results are.

    Raises:
      UserError: the two specs are not of one optimizer.
    """
    parts = [spec.partition("@") for spec in specs]
    if len(parts) != 2 or parts[0][0] != parts[1][0] or not all(name and place for name, _, place in parts):
        raise UserError(f"to compare two versions give NAME@OLD NAME@NEW of one optimizer, not {' '.join(specs)}")
    name, places = parts[0][0], [place for _, _, place in parts]
    if name == "all" and not all(Path(place).is_dir() for place in places):
        raise UserError("all@ is for two folders of runs; of revisions name one optimizer")
    return name, places


def _path(old: "object", new: "object", moved: bool) -> str:
    """The first step at which the two paths part."""
    import numpy as np

    if not moved:
        return "same"
    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        return "its hyperparameters are others"
    gaps = np.nanmax(np.abs(one - other), axis=(0, 2))
    travelled = float(np.nanmax(np.abs(one - one[:, :1])))
    first = int(np.argmax(gaps > 1e-7 * max(travelled, 1.0)))
    far = f"{gaps.max():.1e} apart at the farthest of {travelled:.1e} travelled"
    return f"not the same, from step {first + 1} on; {far}"


def _show(cells: Sequence["Cell"]) -> None:
    from bench.drift import ALLOWED, ROUNDING

    ordered = sorted(cells, key=lambda cell: cell.drift / (cell.noise + ROUNDING), reverse=True)
    print("cell                                      drift    last bit")
    for cell in ordered[:SHOWN]:
        where = "" if cell.agrees else f"differs from {cell.where}"
        print(f"{cell.name:38} {cell.drift:8.1e}    {cell.noise:8.1e}  {where}")
    agreeing = sum(cell.agrees for cell in cells)
    print(f"{agreeing} of {len(cells)} cells agree within {ALLOWED:g} times what the last bit of the start does")
