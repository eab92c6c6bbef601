"""Tables for papers, and what they and the Markdown mark: the best of a task and those not told apart from it there."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench import stats
from bench.results import Results
from reports import boards, latex, tables
from reports.marks import Marks, marks
from tests.test_looks import many
from tests.test_reports import odd_runs, record, rows, run


def both(results: Results) -> dict[str, Marks]:
    return {board.name: marks(board) for board in boards.boards(results)}


def written(results: Results) -> str:
    return latex.to_latex(rows(results), both(results))


def replicated(folder: Path, replicates: int) -> Results:
    """On flowers a is a little behind b and c far; on prices a diverges and b and c are equal to the last bit."""
    levels = {"flowers": {"a": 0.02, "b": 0.0, "c": 2.0}, "prices": {"a": 0.0, "b": -30.0, "c": -30.0}}
    units = [
        record(task, name, r, level)
        for task in levels
        for name, level in levels[task].items()
        for r in range(replicates)
    ]
    for unit in units:
        if unit.cell == ("prices", "a"):
            unit.arrays["final/train/loss"][..., -1] = np.nan
    return run(folder, units, optimizers=["a", "b", "c"], replicates=replicates)


def sound(text: str) -> None:
    """As far as LaTeX needs it: braces and environments in pairs, and as many cells in each row as columns."""
    bare = re.sub(r"\\[{}\\&%#$_]", "", re.sub(r"(?m)^%.*$", "", text))
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        assert body.startswith("\\toprule")
        assert body.rstrip().endswith("\\bottomrule")
        found = [line for line in body.split("\n") if line.endswith(r" \\")]
        assert len(found) > 1
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in found} == {len(columns)}
    assert text.isascii()


@pytest.mark.parametrize("name", list(odd_runs(Path())))
def test_odd_runs_have_sound_tables(name: str, tmp_path: Path) -> None:
    text = written(odd_runs(tmp_path)[name])
    sound(text)
    assert text.count("\\begin{table*}") == (0 if name == "nothing" else 2)
    assert "nan" not in text.replace("\\addlinespace", "")


def test_names_with_commands_are_inert(tmp_path: Path) -> None:
    evil, task = "[2pt]\\input{x}$_^&#%~", "*{}\\end{tabular}"
    text = written(run(tmp_path, tasks=[task, "prices"], optimizers=[evil, "sgd"]))
    sound(text)
    assert "\\input" not in text
    assert not re.search(r"\\\\\s*(\\addlinespace\s*)?[\[*]", text)


def test_many_tasks_and_many_optimizers_are_split(tmp_path: Path) -> None:
    tasks = [f"task{index}" for index in range(8)]
    results = run(tmp_path, tasks=tasks, optimizers=["a", "b"], replicates=2)
    text = written(results)
    sound(text)
    assert text.count("\\begin{table*}") == 2
    assert text.count("\\begin{tabular}") == 4
    assert [text.count(f" & {task}") for task in tasks] == [2] * 8
    assert text.count("\\caption") == 2
    sound(written(many(tmp_path)))


def test_the_best_is_bold_and_who_is_not_told_apart_underlined(tmp_path: Path) -> None:
    results = replicated(tmp_path, 8)
    found = both(results)["optimization"]
    assert found.best == {"flowers": ["b"], "prices": ["b", "c"]}
    assert found.near == {"flowers": ["a"], "prices": []}
    board = boards.boards(results)[0]
    p = [stats.one_task(board.z[0, 1], board.z[0, o]) for o in (0, 2)]
    assert (stats.holm(p) > 0.05).tolist() == [True, False]
    text = written(results)
    sound(text)
    own = {row.optimizer: row for row in rows(results) if row.board == "optimization"}
    assert f"\\textbf{{{tables.number(own['b'].losses['flowers'].mean)}}}" in text
    assert f"\\underline{{{tables.number(own['a'].losses['flowers'].mean)}}}" in text
    assert f"\\underline{{{tables.number(own['c'].losses['flowers'].mean)}}}" not in text
    assert "Underlined: not told apart from the best of the task at the 5 \\% level" in text
    shown = tables.to_markdown(rows(results), both(results))
    assert f"| **{tables.ranged(own['b'].losses['flowers'])}** |" in shown
    assert f"| *{tables.ranged(own['a'].losses['flowers'])}* |" in shown
    assert f"| {tables.ranged(own['c'].losses['flowers'])} |" in shown
    assert "In italics: not told apart" in shown


def test_too_few_replicates_mark_nobody_and_say_so(tmp_path: Path) -> None:
    results = replicated(tmp_path, 3)
    found = both(results)["optimization"]
    assert not any(found.near.values())
    assert found.best["flowers"] == ["b"]
    assert found.words.startswith("On a single task 3 replicates cannot tell any of 2 rivals apart")
    text = written(results)
    assert "\\underline" not in text
    assert "nobody is marked" in text
    alone = both(run(tmp_path, tasks=["flowers"], optimizers=["sgd"]))["optimization"]
    assert alone.words == "There is nobody to compare the best of a task with."


def test_tier_one_is_marked_in_both(tmp_path: Path) -> None:
    results = run(tmp_path)
    first = sum(row.tier == 1 for row in rows(results))
    assert written(results).count("$^\\dagger$ ") == first
    assert tables.to_markdown(rows(results), both(results)).count(" † |") == first


# The tests above hold the structure everywhere; only LaTeX itself can say more, and few machines have it.
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
def test_latex_takes_the_tables(tmp_path: Path) -> None:
    text = written(replicated(tmp_path, 8))
    page = f"\\documentclass{{article}}\\usepackage{{booktabs,graphicx}}\\begin{{document}}{text}\\end{{document}}"
    (tmp_path / "page.tex").write_text(page)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
