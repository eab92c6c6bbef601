"""What a piece of source code does, as a hash: comments, docstrings and layout aside."""

import ast
import hashlib
from pathlib import Path


def code_digest(*files: Path) -> str:
    """SHA-256 over the syntax trees of Python files, in the order given, without their docstrings."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(ast.dump(_without_docstrings(ast.parse(file.read_bytes()))).encode())
    return digest.hexdigest()


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:]
    return tree


def imports(file: Path, root: Path, packages: tuple[str, ...]) -> set[Path]:
    """Files of the project that a file imports directly: modules of `packages` found under `root`, wherever in the
    file the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {path for name in names if name.split(".")[0] in packages for path in [_module_file(name, root)] if path}


def _module_file(name: str, root: Path) -> Path | None:
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def closure(files: set[Path], root: Path, packages: tuple[str, ...], neutral: frozenset[str]) -> list[Path]:
    """The files and all that they import of the project, directly or not, sorted; `neutral` are paths relative to
    `root`, of files or folders, that are left out with what only they import."""
    found: set[Path] = set()
    waiting = set(files)
    while waiting:
        file = waiting.pop()
        relative = file.relative_to(root) if file.is_relative_to(root) else file
        if file in found or any(str(part) in neutral for part in (relative, *relative.parents)):
            continue
        found.add(file)
        waiting |= imports(file, root, packages)
    return sorted(found)
