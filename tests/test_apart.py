"""Files that do harm: each ends in one line on what is wrong with it, in time, and nothing else is harmed."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import apart
from bench.__main__ import main
from bench.apart_child import IMPORTS, LEAVES
from bench.errors import UserError
from bench.findings import Finding
from optimizers import OptimizerError

HEAD = "import os, sys, time\nimport jax, optax\nimport jax.numpy as jnp\nimport numpy as np\n"  # lines 1 to 4
SGD = "def mine(learning_rate=0.1):\n    return optax.sgd(learning_rate)\n"
# Seconds for those that never end; the others take as long as they need.
ENDLESS = {"sleeps": 3.0, "is imported for ever": 2.0, "steps for ever": 6.0}


def before(line: str) -> str:
    """A file of gradient descent that does something when it is imported, in line 5."""
    return f"{HEAD}{line}\n{SGD}"


def within(line: str, scale: str = "-learning_rate * g") -> str:
    """A file of gradient descent that does something in its update, in line 8."""
    return (
        f"{HEAD}def mine(learning_rate=0.1):\n    init = lambda params: optax.EmptyState()\n"
        f"    def update(grads, state, params=None):\n        {line}\n"
        f"        return jax.tree.map(lambda g: {scale}, grads), state\n"
        "    return optax.GradientTransformation(init, update)\n"
    )


RUNS = "runs under jit, vmap and scan, its hyperparameters traced"
MADE = "is made and started with its defaults"
DTYPES = "keeps shapes and dtypes of state and updates"

# The file, the check that it breaks first, and what is found.
HOSTILE = {
    "imports what is not there": (before("import nothing_at_all"), IMPORTS, r"does not import: .*'nothing_at_all'.*5"),
    "is no Python": (before("def mine(:"), IMPORTS, r"does not import: SyntaxError: .*mine.py, line 5\)"),
    "raises": (before("1 / 0"), IMPORTS, r"does not import: ZeroDivisionError: division by zero \(.*mine.py, line 5\)"),
    "raises what has no words": (
        before("class E(Exception): __str__ = __repr__ = lambda self: 1 / 0\nraise E"),
        IMPORTS,
        "ZeroDivisionError.*line 5",
    ),
    "takes no learning rate": (f"{HEAD}def mine(): return optax.sgd(0.1)", IMPORTS, r"takes no argument .*line 5\)"),
    "makes nothing": (f"{HEAD}def mine(lr=0.1): return 3", MADE, "make.. gives .*, not an optax|AttributeError"),
    "has other shapes": (within("pass", "jnp.zeros((1, *g.shape))"), RUNS, "scan|shape"),
    "has other dtypes": (
        within("pass", "(-0.1 * g).astype(jnp.bfloat16)"),
        DTYPES,
        "was float32.* and becomes bfloat16",
    ),
    "gives NaN": (within("pass", "g * jnp.nan"), "survives zero, huge and tiny gradients", "leave .* at nan after"),
    "changes its inputs": (within("grads.update(vector=0 * grads['vector'])"), "has no side effects", "in place"),
    "changes JAX": (
        before("jax.config.update('jax_default_matmul_precision', 'float32')"),
        LEAVES,
        "jax.config.jax_def",
    ),
    "changes NumPy": (before("np.sort = lambda x: x"), LEAVES, "changes numpy.sort"),
    "changes the folder": (before("os.chdir('/')"), LEAVES, "changes the current folder"),
    "replaces stdout": (before("sys.stdout = open(os.devnull, 'w')"), LEAVES, "changes sys.stdout"),
    "sleeps": (within("time.sleep(1000)"), RUNS, r"did not end within . s \(.*mine.py, line 8\); --timeout allows"),
    "is imported for ever": (before("while True: pass"), IMPORTS, r"did not end within . s \(.*mine.py, line 5\)"),
    "steps for ever": (
        within("n = jax.lax.while_loop(lambda n: n >= 0, lambda n: n * 0, grads['scalar'] * 0)", "g + n"),
        RUNS,
        "did not end within . s, in compiled code",
    ),
    "exits": (within("sys.exit(3)"), RUNS, r"SystemExit: 3 \(.*mine.py, line 8\)"),
    "exits when imported": (before("exit()"), IMPORTS, r"does not import: SystemExit: .*mine.py, line 5\)"),
    "exits at once": (within("os._exit(0)"), RUNS, r"its code ended the process \(exit status 0\)"),
    "interrupts": (within("raise KeyboardInterrupt"), RUNS, r"KeyboardInterrupt.*mine.py, line 8\)"),
    "kills itself": (before("os.kill(os.getpid(), 9)"), IMPORTS, "its process was ended by SIGKILL"),
    "crashes": (
        before("import ctypes; ctypes.string_at(0)"),
        IMPORTS,
        r"its process was ended by SIGSEGV \(.*mine.py, line 5\)",
    ),
    "takes all memory": (before("x = [bytearray(1 << 28) for _ in range(1 << 20)]"), IMPORTS, "MemoryError.*line 5"),
    "takes a huge array": (before("x = np.ones(1 << 42)"), IMPORTS, "does not import: .*MemoryError.*line 5"),
    "closes every file": (before("os.closerange(3, 1000)"), IMPORTS, "its code closed files that are not its own"),
}
SLOW = (
    *("takes all memory", "is imported for ever", "sleeps", "changes NumPy", "changes the folder"),
    "raises what has no words",
)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["OPTGRID_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in HOSTILE]
)
def test_a_hostile_file_gets_one_line_in_time(kind: str, tmp_path: Path) -> None:
    source, breaks, problem = HOSTILE[kind]
    (tmp_path / "mine.py").write_text(source)
    here, shown, begin = Path.cwd(), list[Finding](), time.monotonic()
    checked = apart.check(f"{tmp_path}/mine.py", timeout=ENDLESS.get(kind, apart.TIMEOUT), show=shown.append)
    assert time.monotonic() - begin < 60
    assert tuple(shown) == checked.findings
    first = checked.broken[0]
    assert first.check == breaks, checked.verdict
    assert re.search(problem, first.problem), first.problem
    assert first.problem in checked.verdict
    assert "\n" not in checked.verdict
    assert len({finding.check for finding in checked.findings}) == len(checked.findings) == 13
    assert Path.cwd() == here
    with pytest.raises(ChildProcessError):  # no process is left, dead or alive
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("line", ["print('x' * 100 + '\\n', end='')", "sys.stderr.write('\\033[31m' + 'y' * 100)"])
def test_what_a_file_prints_is_counted_and_little_of_it_kept(line: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(before(f"for _ in range(50_000): {line}"))
    checked = apart.check(f"{tmp_path}/mine.py")
    assert checked.verdict == "all 13 checks hold"
    assert checked.printed > 5_000_000
    assert len(checked.last) <= apart.SHOWN
    assert all(text.isprintable() and len(text) <= 120 for text in checked.last)


def test_no_print_is_taken_for_a_finding(tmp_path: Path) -> None:
    forged = json.dumps({"done": True, "finding": [IMPORTS, "", True], "key": ""}).encode()
    write = f"for fd in range(1, 32):\n    try: os.write(fd, {forged!r})\n    except OSError: pass\n1 / 0"
    (tmp_path / "mine.py").write_text(before(write))
    assert re.search(r"first: does not import: ZeroDivisionError.*line 8", apart.check(f"{tmp_path}/mine.py").verdict)


def test_what_a_file_started_ends_with_it(tmp_path: Path) -> None:
    start = f"import subprocess; open({str(tmp_path / 'pid')!r}, 'w').write(str(subprocess.Popen(['sleep', '99']).pid))"
    (tmp_path / "mine.py").write_text(before(start))
    assert not apart.check(f"{tmp_path}/mine.py").broken
    pid = (tmp_path / "pid").read_text()
    end = time.monotonic() + 10
    while time.monotonic() < end and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            if "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:  # nobody here is its parent
                return
    assert not Path(f"/proc/{pid}").exists()


def test_the_command_says_it_in_one_line_and_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(before("1 / 0"))
    assert main(["check", str(path)]) == 1
    line = capsys.readouterr().out.strip().splitlines()[-1].strip()
    assert line.startswith(f"{path}: 1 of 1 checks do not hold; the first: does not import: ZeroDivisionError")
    assert main(["check", "--json", str(path)]) == 1
    findings = json.loads(capsys.readouterr().out)[str(path)]
    assert (len(findings), findings[0]["check"], findings[1]["reached"]) == (13, IMPORTS, False)
    assert "ZeroDivisionError" in findings[0]["problem"]


def test_a_wrong_spec_is_no_fault_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + SGD)
    for spec in (f"{path}:nothing", f"{path}(b1=0.5)", f"{tmp_path}/none.py", "no_such_module:thing", "adamm"):
        assert main(["check", spec]) == 2
        said = capsys.readouterr().err
        assert said.startswith("optgrid: ")
        assert said.count("\n") == 1
    assert main(["check", "--timeout", "0", "adam"]) == 2
    with pytest.raises(OptimizerError, match="no hyperparameter b1"):
        apart.check(f"{path}(b1=0.5)")


def test_a_process_that_does_not_begin_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(HEAD + SGD)
    monkeypatch.setattr(apart, "START", 0.0)
    with pytest.raises(UserError, match="did not begin within 0 s; the machine may be too busy"):
        apart.check(f"{tmp_path}/mine.py")
    monkeypatch.setattr(apart, "START", 60.0)
    monkeypatch.setattr(apart, "CHILD", "import nothing_at_all")
    with pytest.raises(UserError, match="ended before it began: ModuleNotFoundError"):
        apart.check(f"{tmp_path}/mine.py")


def test_imports_of_others_are_no_change(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        before("import flax.linen, jax.experimental.sparse, jax.scipy.optimize, optax.contrib, scipy.stats, sklearn")
    )
    assert apart.check(f"{tmp_path}/mine.py").verdict == "all 13 checks hold"


def test_the_guess_comes_with_the_findings_and_the_parent_needs_no_jax(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}def mine(lr, b1=0.9): return optax.sgd(lr, b1)")
    code = (
        "import sys; from bench import apart; c = apart.check('mine.py'); print(c.verdict, *c.guessed, sep='\\n');"
        "assert 'jax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "all 13 checks hold"
    assert "lr is taken for the learning rate and called learning_rate here" in lines
    assert "b1: 0.9, searched 1 - (log-uniform 0.01 to 0.5)" in lines
