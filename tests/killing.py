"""What kills a changed update rule: the tests in the order of their cost, as far as the first that fails.

Everything that may hold on to the unchanged rule is imported anew for each change.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import re
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import closed_loop, oracles, test_optimizers
from tests.golden import make as golden

if TYPE_CHECKING:
    from tests.mutants import Target

FOLDER = Path(__file__).parent
PROPERTIES = [*FOLDER.glob("test_*properties*.py"), FOLDER / "test_registry.py"]
# These hold what is dear to compute, and no rule but by way of the package `optimizers`.
KEPT = {
    "oracles",
    "golden",
    "gradients",
    "closed_loop",
    "test_optimizers",
    "mutants",
    "mutating",
    "survivors",
    "killing",
}
CHANGES_PER_CACHE = 50
FIRST = 3  # steps

# A failure is enough; the smallest example of it is of no use.
hypothesis.settings.register_profile("once", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
hypothesis.settings.load_profile("once")

_tried = 0


class Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a source text instead of its file."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        file = FOLDER.parent / f"{fullname.replace('.', '/')}.py"
        return importlib.util.spec_from_file_location(fullname, file, loader=self)

    def get_source(self, fullname: str) -> str:
        return self._source


def killer(target: "Target", source: str | None) -> str:
    """What fails if the target's module has this source; nothing if all passes.

    As it is, without a source, its entries are not tried with the tests that mention it: all targets share those.
    """
    global _tried
    _tried += 1
    if _tried % CHANGES_PER_CACHE == 0:
        jax.clear_caches()
    forget()
    finder = Changed(target.module, source) if source is not None else None
    if finder is not None:
        sys.meta_path.insert(0, finder)
    try:
        found = next(failures(target), "")
        shared = source is None and target.entries
        return found if found or shared else next(properties(target.words), "")
    except Exception as error:  # whatever a changed rule raises, it is noticed
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:100]}"
    finally:
        if finder is not None:
            sys.meta_path.remove(finder)


def forget() -> None:
    """Unloads what may hold on to a rule."""
    for name in list(sys.modules):
        package, _, rest = name.partition(".")
        if package in ("optimizers", "bench") or (package == "tests" and rest and rest.split(".")[0] not in KEPT):
            del sys.modules[name]
    vars(closed_loop)["optimizers"] = vars(test_optimizers)["optimizers"] = importlib.import_module("optimizers")
    closed_loop.batch.cache_clear()


def failures(target: "Target") -> Iterator[str]:
    """What fails of what every entry must hold, the cheapest first."""
    for name in target.entries:
        try:
            test_optimizers.test_oracle_has_our_defaults(name)
        except AssertionError:
            yield f"{name}'s defaults"
    for name in target.entries:
        if not first_steps(name) <= closed_loop.tolerance(name):
            yield f"{name}'s first steps"
    for name in target.entries:
        yield from from_oracle(name)
    yield from from_peers(target.entries)
    checks: Any = importlib.import_module("bench.checks")
    base: Any = importlib.import_module("optimizers._base")
    for name in target.entries:
        yield from (f"{name}: {f.check}" for f in checks.check(base.get(name), strict=True) if f.problem)


def first_steps(name: str) -> float:
    """What the first steps with the defaults differ by from the oracle's; not compiled, which takes longer."""
    floats, static = closed_loop.completed(name, {})
    del floats["rate_decay"]
    rate = np.full(FIRST, floats.pop("learning_rate"))
    with jax.enable_x64(True), jax.disable_jit():
        hparams = {key: jnp.asarray(value) for key, value in floats.items()}
        ours = np.asarray(closed_loop.closed_loop(name, static, jnp.float64, FIRST)(rate, hparams))
    theirs = oracles.trajectory(name, {})[: FIRST + 1]
    return float(closed_loop.differences(ours, theirs, oracles.problem(name), oracles.roundings(name)).max())


def from_oracle(name: str) -> Iterator[str]:
    """Settings that differ from the oracle, those first that share the default's compiled program."""
    default = closed_loop.completed(name, {})[1]
    settings = oracles.load(name).SETTINGS
    for setting in sorted(settings, key=lambda setting: closed_loop.completed(name, setting)[1] != default):
        if not closed_loop.from_oracle(name, setting).max() <= closed_loop.tolerance(name):
            yield f"{name}'s oracle, {setting}"


def from_peers(names: Sequence[str]) -> Iterator[str]:
    """Golden files that differ."""
    for path, (name, peer) in golden.files().items():
        if name in names and not closed_loop.from_peer(path).max() <= closed_loop.tolerance(name, peer.error):
            yield path.name


class Mentioning:
    """Lets those tests run that mention one of some words, and keeps the first that fails."""

    def __init__(self, words: frozenset[str]) -> None:
        self._word = re.compile(rf"(?<![a-z0-9])({'|'.join(sorted(words))})(?![a-z0-9])")
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._word.search(_text(item))]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def _text(item: pytest.Item) -> str:
    """A test's parameters, its source, and the values of its module that it goes by."""
    function: Any = inspect.unwrap(item.obj)  # type: ignore[attr-defined]  # every item here is a function's
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    values = (inner.__globals__.get(name) for name in inner.__code__.co_names)
    return " ".join(
        [item.name, inspect.getsource(inner), *(repr(x) for x in values if isinstance(x, str | dict | list))]
    )


def properties(words: frozenset[str]) -> Iterator[str]:
    """The first of the tests mentioning one of these words that fails."""
    selection = Mentioning(words)
    quiet = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of hypothesis, imported above
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = pytest.main([*quiet, *map(str, sorted(PROPERTIES))], plugins=[selection])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        yield selection.failed or f"pytest: {status!r}"
