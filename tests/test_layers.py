"""The architecture, held: which way imports point, what stays light, how long the spine may be."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from bench.code import imports

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "optimizers", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TRAINS = {
    *("train", "program", "sweep", "timing", "jobs", "worker", "pool", "cluster", "node", "runner", "step_times"),
    *("preflight", "experiment", "sides", "study", "diagnostics", "diagnosing"),
}


def project_imports(file: Path) -> set[Path]:
    return imports(file, ROOT, PACKAGES) - {file}


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_every_module_says_what_it_is_for() -> None:
    silent = [relative(file) for file in FILES if not ast.get_docstring(ast.parse(file.read_text()))]
    assert not silent


@pytest.mark.parametrize("file", [f for f in FILES if f.is_relative_to(ROOT / "optimizers")], ids=relative)
def test_optimizers_know_nothing_of_the_benchmark(file: Path) -> None:
    assert all(found.is_relative_to(ROOT / "optimizers") for found in project_imports(file))


def test_only_commands_know_commands_and_only_they_make_reports() -> None:
    commands, reports = ROOT / "bench/commands", ROOT / "reports"
    for file in FILES:
        for found in project_imports(file):
            if found.is_relative_to(commands):
                assert file.is_relative_to(commands) or file.name == "__main__.py", (relative(file), relative(found))
            if found.is_relative_to(reports):
                assert file.is_relative_to(commands) or file.is_relative_to(reports), (relative(file), relative(found))


def test_reports_never_train() -> None:
    for file in FILES:
        if file.is_relative_to(ROOT / "reports"):
            assert not {found.stem for found in project_imports(file)} & TRAINS, relative(file)


def test_imports_have_no_cycle() -> None:
    # A package's own __init__ is reached by every import of one of its modules; it is not a dependency in itself.
    graph = {file: {f for f in project_imports(file) if f.name != "__init__.py"} for file in FILES}
    TopologicalSorter(graph).prepare()


def test_planning_is_free_of_heavy_imports() -> None:
    code = (
        "import sys, bench.experiment, bench.commands.run, bench.commands.progress; "
        "print(sorted({'jax', 'scipy', 'pandas', 'seaborn', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded.strip() == "[]"


def test_help_imports_next_to_nothing() -> None:
    code = "import sys, bench.__main__; print(sorted({'numpy', 'rich', 'jax'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded.strip() == "[]"


def test_the_spine_stays_short() -> None:
    assert len((ROOT / "bench/train.py").read_text().splitlines()) <= 150
