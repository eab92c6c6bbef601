"""Naming something by `target[:attr][(name=value, ...)]`, and finding the code that is meant. No JAX here.

The target is a name of a catalogue, a module (`pkg.mod:attr`) or a file (`path/to/file.py[:attr]`).
"""

import ast
import importlib
import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """What is wrong with a spec, without saying which; callers put that before it."""


@dataclass(frozen=True)
class Spec:
    """A parsed spec: where the thing is (`target`, and `attr` where it was named) and what is fixed of it."""

    target: str
    attr: str | None
    fixed: dict[str, object] = field(default_factory=dict)

    @property
    def is_path(self) -> bool:
        return self.target.endswith(".py")

    @property
    def name(self) -> str:
        """The name it goes by in records and reports: the file's stem for a path, else what the user wrote."""
        base = Path(self.target).stem if self.is_path else self.target
        if self.attr is not None:
            base = f"{base}:{parse(self.attr).name}"
        return f"{base}{self.brackets}"

    @property
    def brackets(self) -> str:
        """What is fixed, as it is written; empty if nothing is."""
        if not self.fixed:
            return ""
        return f"({', '.join(f'{key}={value!r}' for key, value in sorted(self.fixed.items()))})"


def parse(spec: str) -> Spec:
    """Splits `target[:attr][(name=value, ...)]`.

    Raises:
      SpecError: the brackets do not hold `name=value` pairs of plain Python values.
    """
    head, bracket, arguments = spec.strip().partition("(")
    target, _, attr = head.strip().partition(":")
    return Spec(target, attr or None, _fixed(bracket + arguments) if bracket else {})


def _fixed(brackets: str) -> dict[str, object]:
    try:
        call = ast.parse(f"f{brackets}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        fixed = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg is not None}
        if len(fixed) < len(call.keywords):  # something was named twice, or unpacked
            raise ValueError
        return fixed
    except (SyntaxError, ValueError):
        raise SpecError("the brackets must hold name=value pairs, as in adam(b2=0.5), and stand last") from None


def file_of(spec: Spec) -> Path:
    """The file of a spec that names a path or a module, found without running it (packages around a module do run).

    Raises:
      SpecError: there is no such file or module.
    """
    if spec.is_path:
        path = Path(spec.target)
        if not path.is_file():
            raise SpecError(f"there is no file {spec.target}")
        return path
    try:
        found = importlib.util.find_spec(spec.target)
    except (ImportError, ValueError):
        found = None
    except Exception as error:  # looking for pkg.mod runs pkg
        raise SpecError(f"{spec.target} does not import: {type(error).__name__}: {error}") from error
    if found is None or found.origin is None:
        raise SpecError(f"there is no module {spec.target!r} to import")
    return Path(found.origin)


def module_of(spec: Spec) -> Any:
    """The module of a spec that names a path or a module.

    Raises:
      SpecError: it is not there, or does not import.
    """
    path = file_of(spec)
    try:
        if not spec.is_path:
            return importlib.import_module(spec.target)
        name = f"_file_{path.stem}"
        found = importlib.util.spec_from_file_location(name, path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[name] = module  # dataclasses and pickles of the file's own classes look here
        found.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:
        raise SpecError(f"{path} does not import: {type(error).__name__}: {error}") from error
