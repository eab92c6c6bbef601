"""What a piece of source code does, as a hash: comments, docstrings and layout aside."""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from bench.errors import UserError

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Source(NamedTuple):
    """What is kept of a file: a hash of what it does, and the dotted names that it imports, wherever in it."""

    digest: str
    imports: frozenset[tuple[int, str]]  # (level of a relative import or 0, name)


def code_digest(*files: Path) -> str:
    """SHA-256 over the syntax trees of Python files, in the order given, without their docstrings.

    Raises:
      UserError: a file cannot be read as Python; the message names it and the line.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name} {_source(file).digest}".encode())
    return digest.hexdigest()


def imports(file: Path, root: Path, packages: Iterable[str]) -> set[Path]:
    """Files of the project that a file imports directly: modules of `packages` found under `root`."""
    found = set()
    for level, name in _source(file).imports:
        if level:
            found.add(_module_file(name, file.parents[level - 1]))
        elif name.split(".")[0] in packages:
            found.add(_module_file(name, root))
    return {path for path in found if path is not None}


def closure(files: set[Path], root: Path, packages: Iterable[str], neutral: frozenset[str]) -> list[Path]:
    """The files and all that they import of the project, directly or not; `neutral` are paths relative to `root`, of
    files or folders, that are left out with what only they import. Those of `packages` come first, sorted, and then the
    others by name, as they may lie elsewhere on another machine."""
    found: set[Path] = set()
    waiting = set(files)
    while waiting:
        file = waiting.pop()
        relative = file.relative_to(root) if file.is_relative_to(root) else file
        if file in found or any(str(part) in neutral for part in (relative, *relative.parents)):
            continue
        found.add(file)
        waiting |= imports(file, root, packages)
    folders = [root / package for package in packages]
    inside = {file for file in found if any(map(file.is_relative_to, folders))}
    return sorted(inside) + sorted(found - inside, key=lambda file: file.name)


def _source(file: Path) -> _Source:
    stat = file.stat()
    return _read(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _read(file: Path, changed: int, size: int) -> _Source:
    del changed, size  # part of the key only: a file that was written again is read again
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(f"{file}{line} is not Python: {getattr(error, 'msg', error)}") from error
    names: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            names.update((node.level, ".".join([*module, alias.name])) for alias in node.names)
            names.update((node.level, name) for name in module)
        elif isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return _Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(names))


def _module_file(name: str, root: Path) -> Path | None:
    base = root.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
