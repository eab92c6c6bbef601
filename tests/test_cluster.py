"""A real Dask scheduler with worker processes that share no disk: the same records as at home, whatever is lost."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import bench
from bench import records
from bench.errors import UserError
from bench.experiment import Watcher
from bench.runner import Progress

pytest.importorskip("distributed", reason="needs the extra dask, which make test-all installs")

from bench import cluster
from bench.cluster import Spec, described

ROOT = Path(__file__).parent.parent
OPTIMIZERS = ["sgd", "adam", "rmsprop", "lion"]
ASKED = {"tasks": ["breast_cancer", "diabetes"], "replicates": 3, "trials": 4, "seeds": 2, "steps": 60}
pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[bytes]]


class Dask:
    """A scheduler, and workers that each have a cache and a working directory of their own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        file = folder / "scheduler.json"
        self._begin(["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)], folder, {})
        while not file.exists():
            time.sleep(0.05)
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, name: str, project: Path = ROOT, **variables: str) -> None:
        home = self._folder / name
        home.mkdir()
        variables = {"OPTGRID_CACHE": str(home / "cache"), **variables}
        variables["PYTHONPATH"] = os.pathsep.join([variables.get("PYTHONPATH", ""), str(project)]).strip(os.pathsep)
        self.workers[name] = self._begin(
            ["worker", self.address, "--nthreads", "1", "--name", name, "--no-dashboard"], home, variables
        )

    def _begin(self, arguments: list[str], home: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
        with (home / f"{arguments[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=home,
                stdout=log,
                stderr=log,
                env={**os.environ, **variables},
                start_new_session=True,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self._stack.callback(self._end, process)
        return process

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    with ExitStack() as stack:
        yield Dask(tmp_path, stack)


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("at_home") / "run"
    bench.run("smoke", out=folder, optimizers=OPTIMIZERS, timed=False, **ASKED)
    return folder


def installed(project: Path) -> None:
    """A copy of the project, as another machine may have it."""
    ignored = shutil.ignore_patterns("__pycache__", "baselines", "microbench")
    for package in ("bench", "optimizers"):
        shutil.copytree(ROOT / package, project / package, ignore=ignored)


class Told(Watcher):
    """Keeps what it is told, and does something at a number of units."""

    def __init__(self, at: int = -1, then: Callable[[], None] = lambda: None) -> None:
        self.notes: list[str] = []
        self._at, self._then = at, then

    def note(self, words: str) -> None:
        self.notes.append(words)

    def swept(self, progress: Progress) -> None:
        if 0 <= self._at <= progress.finished:
            self._at = -1
            self._then()


def same(folder: Path, other: Path) -> None:
    ours, theirs = (records.read_all(each)[0] for each in (folder, other))
    assert [unit.name for unit in ours] == [unit.name for unit in theirs]
    for mine, its in zip(ours, theirs, strict=True):
        for name, array in mine.arrays.items():
            np.testing.assert_array_equal(array, its.arrays[name], err_msg=f"{mine.name} {name}")


def test_four_workers_one_of_them_killed_give_what_is_computed_at_home(
    dask: Dask, at_home: Path, tmp_path: Path
) -> None:
    for number in range(4):
        dask.worker(f"w{number}")
    killed = Told(6, lambda: os.killpg(dask.workers["w1"].pid, signal.SIGKILL))
    found = bench.run(
        "smoke", out=tmp_path / "run", optimizers=OPTIMIZERS, scheduler=dask.address, watcher=killed, **ASKED
    )
    assert not found.manifest["failed"]
    same(tmp_path / "run", at_home)
    assert set(found.timings) == {(task, name) for task in found.tasks for name in OPTIMIZERS}
    assert not list((tmp_path / "w0").glob("cache/units"))


def test_ones_own_files_travel(dask: Dask, tmp_path: Path) -> None:
    project = tmp_path / "installed"
    installed(project)
    (project / "optimizers" / "lion.py").unlink()  # as if it had just been dropped in here
    mine = tmp_path / "mine.py"
    mine.write_text("import optax\n\n\ndef mine(learning_rate=0.1):\n    return optax.sgd(learning_rate)\n")
    ideas = tmp_path / "ideas"
    ideas.mkdir()
    (ideas / "__init__.py").write_text("")
    (ideas / "rates.py").write_text("SCALE = 0.5\n")
    (ideas / "rules.py").write_text(
        "import optax\nfrom ideas.rates import SCALE\n\n\ndef halved(learning_rate=0.1):\n"
        "    return optax.sgd(SCALE * learning_rate)\n"
    )
    dask.worker("w0", project)
    asked = {**ASKED, "tasks": ["diabetes"], "optimizers": [str(mine), "ideas.rules:halved", "lion"], "timed": False}
    code = f"import bench; bench.run('smoke', out='RUN', **{asked!r} | OPTIONS)"
    for run, options in ((tmp_path / "there", {"scheduler": dask.address}), (tmp_path / "here", {})):
        subprocess.run(
            [sys.executable, "-c", code.replace("RUN", str(run)).replace("OPTIONS", repr(options))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
            cwd=tmp_path,
            check=True,
        )
    assert len(records.read_all(tmp_path / "there")[0]) == 9
    same(tmp_path / "there", tmp_path / "here")


def test_a_worker_that_would_give_other_numbers_is_refused_by_name(dask: Dask, at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(
        "import importlib.metadata as metadata\nbefore = metadata.version\n"
        "metadata.version = lambda name: '0.4.1' if name == 'jax' else before(name)\n"
    )
    dask.worker("old_jax", PYTHONPATH=str(tmp_path / "other"))
    project = tmp_path / "project"
    installed(project)
    changed = project / "bench" / "train.py"
    changed.write_text(changed.read_text() + "\nANOTHER = 1\n")
    dask.worker("old_optgrid", project)
    with pytest.raises(UserError, match="no worker of the cluster can be used") as refused:
        bench.run("smoke", out=tmp_path / "none", optimizers=OPTIMIZERS, scheduler=dask.address, timed=False, **ASKED)
    for words in ("old_jax (", "jax 0.4.1 there", "old_optgrid (", "another version of optgrid there (bench/train.py"):
        assert words in str(refused.value)
    dask.worker("good")
    told = Told()
    bench.run(
        "smoke", out=tmp_path / "run", optimizers=OPTIMIZERS, scheduler=dask.address, timed=False, watcher=told, **ASKED
    )
    same(tmp_path / "run", at_home)
    assert sorted(note.split(" (")[0] for note in told.notes) == [
        "refused the worker old_jax",
        "refused the worker old_optgrid",
    ]


def test_a_unit_that_hangs_or_dies_costs_its_cell_only(dask: Dask, tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(
        "import optax\n\n\ndef hangs(learning_rate=0.1):\n    while True:\n        pass\n"
    )
    (tmp_path / "dies.py").write_text(
        "import os\nimport signal\n\n\ndef dies(learning_rate=0.1):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    asked = {**ASKED, "tasks": ["diabetes"], "replicates": 1}
    for number in range(2):
        dask.worker(f"w{number}")
    names = ["sgd", *(str(tmp_path / f"{name}.py") for name in ("hangs", "dies"))]
    found = bench.run(
        "smoke", out=tmp_path / "run", optimizers=names, scheduler=dask.address, timeout=15, timed=False, **asked
    )
    assert {unit.meta["optimizer"] for unit in found.units} == {"sgd"}
    failed = found.manifest["failed"]
    assert failed["diabetes--hangs--r00"] == "stopped after 15 s; --timeout allows more"
    assert "SIGKILL" in failed["diabetes--dies--r00"]


def test_a_worker_that_cannot_write_is_refused_and_costs_nothing(dask: Dask, at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for number in range(3):
        dask.worker(f"bad{number}", OPTGRID_CACHE=str(tmp_path / "file" / "cache"))
    dask.worker("good")
    told = Told()
    found = bench.run(
        "smoke", out=tmp_path / "run", optimizers=OPTIMIZERS, scheduler=dask.address, timed=False, watcher=told, **ASKED
    )
    assert not found.manifest["failed"]
    same(tmp_path / "run", at_home)
    for note in told.notes:
        assert re.match(
            r"refused the worker bad\d \(.*: it cannot do a unit \(UserError: .* could not be written", note
        )


def test_a_worker_beyond_those_wanted_stands_in_for_one_that_is_lost(dask: Dask, tmp_path: Path) -> None:
    for number in range(2):
        dask.worker(f"w{number}")

    class Killer(Told):
        def swept(self, progress: Progress) -> None:
            busy = [name for name in dask.workers if list((tmp_path / name / "cache").glob("code/*"))]
            if busy and not self.notes:
                self.notes.append(busy[0])
                os.killpg(dask.workers[busy[0]].pid, signal.SIGKILL)

    killer = Killer()
    asked = {**ASKED, "tasks": ["diabetes"], "replicates": 1, "optimizers": ["sgd"], "steps": 3000, "trials": 20}
    found = bench.run("smoke", out=tmp_path / "run", scheduler=dask.address, timed=False, watcher=killer, **asked)
    assert killer.notes
    assert len(found.units) == 1


def test_a_cluster_without_workers_is_waited_for_and_said(
    dask: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ALONE_S", 2.0)

    class Patient(Told):
        def stop(self) -> bool:
            return bool(self.notes)

    patient = Patient()
    with pytest.raises(KeyboardInterrupt):
        bench.run("smoke", out=tmp_path / "run", scheduler=dask.address, watcher=patient, **ASKED)
    assert patient.notes == [
        "waiting for workers of the cluster, of which there are none now; Ctrl-C ends this command"
    ]


def test_what_was_started_is_ended_where_nothing_comes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Started:
        scheduler_address = "tcp://127.0.0.1:9"

        def scale(self, number: int) -> None:
            del number

        def close(self, timeout: float) -> None:
            ended.append(timeout)

    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    monkeypatch.setitem(sys.modules, "started", types.SimpleNamespace(Started=Started))
    file = tmp_path / "cluster.yaml"
    file.write_text("cluster: started.Started")
    with pytest.raises(UserError, match="no Dask scheduler answers"):
        bench.run("smoke", out=tmp_path / "run", cluster=file, **ASKED)
    assert len(ended) == 1


def test_a_cluster_is_started_from_a_file(at_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "cluster: distributed.LocalCluster\nworkers: 2\n"
        "options: {n_workers: 1, threads_per_worker: 1, dashboard_address: ':0'}\n"
    )
    command = [sys.executable, "-m", "bench", "run", "--suite", "smoke", "--cluster", str(file)]
    for name, value in ASKED.items():
        command += [f"--{name}", ",".join(value) if isinstance(value, list) else str(value)]
    command += ["--optimizers", ",".join(OPTIMIZERS), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    same(tmp_path / "run", at_home)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cluster: [", "is not YAML"),
        ("workers: 4", "must say `cluster:`"),
        ("cluster: distributed.LocalCluster\nqueue: fast", "there is no 'queue'; there are cluster, workers, options"),
        ("cluster: distributed.LocalCluster\nworkers: many", "workers must be of type int, not 'many'"),
        ("cluster: distributed.LocalCluster\nworkers: 0", "workers must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_with_a_description_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=r"cluster\.yaml") as wrong:
        described(file)
    assert words in str(wrong.value)


def test_a_description_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("cluster: dask_jobqueue.SLURMCluster\nworkers: 8\noptions: {cores: 1, walltime: '01:00:00'}")
    assert described(file) == Spec("dask_jobqueue.SLURMCluster", {"cores": 1, "walltime": "01:00:00"}, 8)


def test_the_guides_descriptions_are_descriptions(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "running.md").read_text(), re.DOTALL)
    specs = []
    for block in blocks:
        (tmp_path / "cluster.yaml").write_text(block)
        specs.append(described(tmp_path / "cluster.yaml"))
    slurm, kubernetes, local = specs
    assert kubernetes.kind == "dask_kubernetes.operator.KubeCluster"
    assert local.options["threads_per_worker"] == 1
    jobqueue = pytest.importorskip("dask_jobqueue")
    script = jobqueue.slurm.SLURMJob("tcp://10.0.0.1:1", name="one", **slurm.options).job_script()
    for words in ("#SBATCH -t 02:00:00", "#SBATCH -p batch", "--nthreads 1", "bin/activate"):
        assert words in script


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, "no Dask scheduler answers at tcp://127.0.0.1:9"),
        ({"scheduler": "nonsense://x"}, "no Dask scheduler answers at nonsense://x"),
        ({"scheduler": "tcp://127.0.0.1:9", "cluster": Path("x.yaml")}, "give one of them"),
        ({"cluster": Path("missing.yaml")}, "missing.yaml cannot be read"),
    ],
)
def test_a_cluster_that_is_not_there_is_said(tmp_path: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        bench.run("smoke", out=tmp_path / "run", optimizers=["sgd"], timed=False, **ASKED, **options)
