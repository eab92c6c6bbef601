"""What an optimizer is called and which file holds it; no JAX here, so asking is free.

A spec is what a user writes: a name of the catalogue, `optax:NAME`, `optax.contrib:NAME`, `pkg.mod:attr` or
`path/to/file.py[:attr]`, each with hyperparameters fixed in brackets if wished: `adam(b2=0.5)`.
"""

import ast
import importlib.util
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

FOLDER = Path(__file__).parent


class OptimizerError(ValueError):
    """A user's mistake in naming or writing an optimizer; the message says which, and what was expected."""


def names() -> list[str]:
    """The catalogue, sorted: every file of this folder whose name does not start with an underscore."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


@dataclass(frozen=True)
class Spec:
    """A parsed spec: where the optimizer is (`target`, and `attr` where it was named) and what is fixed."""

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
            base = f"{base}:{self.attr}"
        if not self.fixed:
            return base
        return f"{base}({', '.join(f'{key}={value!r}' for key, value in sorted(self.fixed.items()))})"


def parse(spec: str) -> Spec:
    """Splits `target[:attr][(name=value, ...)]`.

    Raises:
      OptimizerError: the brackets do not hold `name=value` pairs of plain Python values.
    """
    head, bracket, arguments = spec.strip().partition("(")
    target, _, attr = head.strip().partition(":")
    return Spec(target, attr or None, _fixed(spec, bracket + arguments) if bracket else {})


def _fixed(spec: str, brackets: str) -> dict[str, object]:
    try:
        call = ast.parse(f"f{brackets}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        fixed = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg is not None}
        if len(fixed) < len(call.keywords):  # something was named twice, or unpacked
            raise ValueError
        return fixed
    except (SyntaxError, ValueError):
        raise OptimizerError(
            f"optimizer {spec!r}: the brackets must hold name=value pairs, as in adam(b2=0.5)"
        ) from None


def source_file(spec: str) -> Path:
    """The file that holds the optimizer, found without running it (the packages around a module do run).

    Raises:
      OptimizerError: there is no such optimizer; the message names the close matches or the whole catalogue.
    """
    parsed = parse(spec)
    if parsed.is_path:
        path = Path(parsed.target)
        if not path.is_file():
            raise OptimizerError(f"optimizer {spec!r}: there is no file {parsed.target}")
        return path
    if parsed.attr is None:
        if parsed.target not in names():
            close = get_close_matches(parsed.target, names(), n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"the catalogue has {', '.join(names())}"
            raise OptimizerError(f"there is no optimizer {parsed.target!r}; {hint}")
        return FOLDER / f"{parsed.target}.py"
    try:
        found = importlib.util.find_spec(parsed.target)
    except (ImportError, ValueError):
        found = None
    except Exception as error:  # looking for pkg.mod runs pkg
        raise OptimizerError(
            f"optimizer {spec!r}: {parsed.target} does not import: {type(error).__name__}: {error}"
        ) from error
    if found is None or found.origin is None:
        raise OptimizerError(f"optimizer {spec!r}: there is no module {parsed.target!r} to import")
    return Path(found.origin)
