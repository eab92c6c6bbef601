"""What work takes along to another machine: the project's code, somebody's own files, and the data of each task."""

import hashlib
import io
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import optimizers
from bench import paths
from bench.code import code_digest
from bench.data import Dataset
from bench.errors import UserError
from bench.fingerprint import LIBRARIES, PACKAGES, ROOT
from bench.grid import Grid, is_own
from optimizers import _spec

LEFT = ("__pycache__", "baselines", "microbench")  # folders of the project that no unit needs
OWN = Path("own")
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the archive, so that equal files make equal archives


@dataclass(frozen=True)
class Luggage:
    """Files to send.

    Attributes:
      digest: SHA-256 of the archive, a zip of the code as a worker's Python path has it.
      own: {file of a spec: where it is in the archive}.
      files: how to read each file to send, by its name: the archive by its digest, data by its place in the cache.
    """

    digest: str
    own: Mapping[Path, Path]
    files: Mapping[str, Callable[[], bytes]]

    def place(self, file: Path) -> Path:
        """Where a file that a spec names is, seen from the archive's folder."""
        return self.own[file.absolute()]


def pack(grid: Grid) -> Luggage:
    """The luggage of a grid, whose data is in the cache.

    Raises:
      UserError: code of one's own is not in a file that could travel.
    """
    files = {path.relative_to(ROOT): path for package in PACKAGES for path in _project(ROOT / package)}
    own: dict[Path, Path] = {}
    for file in sorted(_named(grid)):
        own[file] = OWN / str(len(own)) / file.name
        files[own[file]] = file
    for module, file in _imported(grid):
        files |= _package(module, file)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name.as_posix(), EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    return Luggage(digest, own, {digest: lambda: content, **_data(grid)})


def digests() -> dict[str, str]:
    """What each file of the project's code does, as a hash, by its path in the project."""
    return {
        path.relative_to(ROOT).as_posix(): code_digest(path)
        for package in PACKAGES
        for path in _project(ROOT / package)
        if path.suffix == ".py"
    }


def _project(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not set(path.relative_to(folder).parts) & set(LEFT):
            yield path


def _named(grid: Grid) -> set[Path]:
    """The files that specs name."""
    parsed = [optimizers.parse(optimizers.layers(spec)[1]) for spec in grid.optimizers.values()]
    parsed += [_spec.parse(spec) for spec in grid.specs.values() if isinstance(spec, str)]
    return {Path(spec.target).absolute() for spec in parsed if spec.is_path}


def _imported(grid: Grid) -> Iterator[tuple[str, Path]]:
    """(module, file) of code of one's own that workers import by name."""
    for spec in grid.optimizers.values():
        core = optimizers.parse(optimizers.layers(spec)[1])
        if is_own(spec) and not core.is_path:
            yield core.target, _spec.file_of(core)
    files = {path for task in grid.tasks for path in task.code} - _named(grid)
    by_file = {getattr(module, "__file__", None): name for name, module in list(sys.modules.items())}
    for file in sorted(path for path in files if not _installed(path)):
        name = by_file.get(str(file), "__main__")
        if name == "__main__":
            raise UserError(
                f"{file} is the program that was started, which workers elsewhere cannot import; put the "
                "task into a file of its own and import it, or give path/to/file.py"
            )
        yield name, file


def _installed(file: Path) -> bool:
    """Whether every worker has a file anyway: the project's, or an installed library's."""
    places = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    return any(file.is_relative_to(ROOT / package) for package in PACKAGES) or any(map(file.is_relative_to, places))


def _package(module: str, file: Path) -> dict[Path, Path]:
    """A module's file, or all code of the package that it is in, by where a Python path has it."""
    if _installed(file) or module.split(".")[0] in LIBRARIES:
        return {}
    depth = module.count(".") + (file.name == "__init__.py")
    root = file.parents[depth]
    top = root / module.split(".")[0]
    found: Iterable[Path] = top.rglob("*.py") if top.is_dir() else [file]
    return {path.relative_to(root): path for path in found}


def _data(grid: Grid) -> dict[str, Callable[[], bytes]]:
    """The data of the grid's tasks, as the cache has it; a task that makes its own needs none."""
    sources = [getattr(task, "source", None) for task in grid.tasks]
    files = {source.file for source in sources if isinstance(source, Dataset) and source.kept and source.file.exists()}
    return {file.relative_to(paths.cache()).as_posix(): file.read_bytes for file in sorted(files)}
