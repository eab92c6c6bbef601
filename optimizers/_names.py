"""What an optimizer is called and which file holds it; no JAX here, so asking is free.

A spec is what a user writes: a name of the catalogue, `optax:NAME`, `optax.contrib:NAME`, `pkg.mod:attr` or
`path/to/file.py[:attr]`, each with hyperparameters fixed in brackets if wished: `adam(b2=0.5)`. Before any of them may
stand wrappers: `lookahead:lion`, `ema:sam:optax:sgd(momentum=0.9)`.
"""

from difflib import get_close_matches
from pathlib import Path

from optimizers import _spec
from optimizers._spec import Spec, SpecError

FOLDER = Path(__file__).parent


class OptimizerError(ValueError):
    """A user's mistake in naming or writing an optimizer; the message says which, and what was expected."""


def names() -> list[str]:
    """The catalogue, sorted: every file of this folder whose name does not start with an underscore."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def wrapper_names() -> list[str]:
    """What can be put around any optimizer, sorted: every file of the folder `wrappers`."""
    return sorted(path.stem for path in (FOLDER / "wrappers").glob("*.py") if not path.stem.startswith("_"))


def layers(spec: str) -> tuple[list[str], str]:
    """The wrappers that a spec names, outermost first, and the spec of what is inside, without brackets."""
    parsed = parse(spec)
    if parsed.attr is None or parsed.is_path or parsed.target not in wrapper_names():
        return [], parsed.target if parsed.attr is None else f"{parsed.target}:{parsed.attr}"
    outer, core = layers(parsed.attr)
    return [parsed.target, *outer], core


def parse(spec: str) -> Spec:
    """Splits `target[:attr][(name=value, ...)]`.

    Raises:
      OptimizerError: the brackets do not hold `name=value` pairs of plain Python values.
    """
    if spec.rstrip().endswith(":"):
        raise OptimizerError(f"optimizer {spec!r}: nothing stands behind the colon")
    try:
        return _spec.parse(spec)
    except SpecError as error:
        raise OptimizerError(f"optimizer {spec!r}: {error}") from None


def source_files(spec: str) -> tuple[Path, ...]:
    """The file that holds the optimizer, and before it those of the wrappers around it, found without running them.

    Raises:
      OptimizerError: as `source_file`.
    """
    outer, core = layers(spec)
    return (*(FOLDER / "wrappers" / f"{name}.py" for name in outer), source_file(core))


def source_file(spec: str) -> Path:
    """The file that holds an optimizer without wrappers (the packages around a module do run).

    Raises:
      OptimizerError: there is no such optimizer; the message names the close matches or the whole catalogue.
    """
    parsed = parse(spec)
    if parsed.is_path or parsed.attr is not None:
        try:
            return _spec.file_of(parsed)
        except SpecError as error:
            raise OptimizerError(f"optimizer {spec!r}: {error}") from error
    if parsed.target in wrapper_names() and parsed.target not in names():
        raise OptimizerError(f"{parsed.target!r} goes around an optimizer: write {parsed.target}:adam, say")
    if parsed.target not in names():
        close = get_close_matches(parsed.target, names(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"the catalogue has {', '.join(names())}"
        raise OptimizerError(f"there is no optimizer {parsed.target!r}; {hint}")
    return FOLDER / f"{parsed.target}.py"
