"""Who does what next, and how long it is said to take."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import experiment, failures, records, runner, step_times
from bench.backlog import Backlog, Unit
from bench.errors import UserError
from bench.grid import resolve
from bench.jobs import Swept
from bench.pool import Ended
from bench.protocol import Protocol
from bench.step_times import _Part
from bench.worker import Failure, Job
from tests import filed
from tests.toy import Quadratic

LONG, SHORT = Quadratic(name="long", steps=1000), Quadratic(name="short", steps=10)
PROTOCOL = Protocol(replicates=3)


def units(task: Quadratic, optimizer: str) -> list[Unit]:
    return [Unit(task, optimizer, task, optimizer, replicate, "print") for replicate in range(3)]


def drawn(queue: Backlog, workers: Sequence[int]) -> list[tuple[str, str]]:
    """The cells of the units that the workers draw, in that order."""
    return [unit.cell for units in map(queue.next, workers) for unit in units]


def test_a_worker_finishes_its_cell_then_its_task_and_the_longest_task_goes_first() -> None:
    queue = Backlog(units(SHORT, "a") + units(LONG, "a") + units(LONG, "b") + units(SHORT, "b"), PROTOCOL, 1)
    assert drawn(queue, [0, 0, 0, 0, 0, 0, 0]) == [*[("long", "a")] * 3, *[("long", "b")] * 3, ("short", "a")]


def test_workers_share_the_tasks_and_then_the_cells_of_the_one_with_most_left() -> None:
    queue = Backlog(units(SHORT, "a") + units(LONG, "a") + units(LONG, "b") + units(LONG, "c"), PROTOCOL, 1)
    assert drawn(queue, [0, 1]) == [("long", "a"), ("short", "a")]
    assert drawn(queue, [1, 1, 1]) == [*[("short", "a")] * 2, ("long", "b")]
    assert drawn(queue, [0, 0, 0]) == [*[("long", "a")] * 2, ("long", "c")]


def test_an_idle_worker_takes_replicates_off_another_cell() -> None:
    queue = Backlog(units(LONG, "a"), PROTOCOL, 1)
    taken = [queue.next(worker) for worker in (0, 1, 0, 1)]
    assert [[unit.replicate for unit in units] for units in taken] == [[0], [1], [2], []]


def test_replicates_of_a_cell_go_together_as_far_as_there_are_lanes() -> None:
    queue = Backlog(units(LONG, "a") + units(SHORT, "b"), PROTOCOL, 2)
    taken = [queue.next(0) for _ in range(4)]
    assert [[unit.name for unit in units] for units in taken] == [
        ["long--a--r00", "long--a--r01"],
        ["long--a--r02"],
        ["short--b--r00", "short--b--r01"],
        ["short--b--r02"],
    ]


def test_replicates_that_failed_together_go_one_at_a_time() -> None:
    queue = Backlog(units(LONG, "a") + units(LONG, "b"), PROTOCOL, 3)
    queue.split(queue.next(0))
    taken = [queue.next(0) for _ in range(4)]
    assert [[unit.name for unit in units] for units in taken[:3]] == [[f"long--a--r0{r}"] for r in range(3)]
    assert len(taken[3]) == 3  # of the other cell


def test_what_is_left_is_predicted_from_what_was_seen() -> None:
    queue = Backlog(units(LONG, "a") + units(LONG, "b"), PROTOCOL, 1)
    assert queue.remaining([]) is None
    queue.learn(queue.next(0), Swept([], setup_s=3.0, run_s=10.0))
    # Two units of the begun cell, three of the other, which must be set up; half of one that runs.
    assert queue.remaining([]) == pytest.approx(2 * 10 + 3 * 10 + 3)
    assert queue.remaining(queue.next(0)) == pytest.approx(1 * 10 + 3 * 10 + 3 + 5)


def test_a_failed_cell_is_dropped_whole() -> None:
    queue = Backlog(units(LONG, "a") + units(SHORT, "b"), PROTOCOL, 1)
    [failed] = queue.next(0)
    assert [unit.replicate for unit in queue.drop(failed.cell)] == [1, 2]
    assert drawn(queue, [0]) == [("short", "b")]


def test_a_plan_keeps_what_fits_and_names_what_does_not(tmp_path: Path) -> None:
    grid = resolve("smoke", ["diabetes"], ["sgd"], replicates=5, seeds=2)
    prints = {("diabetes", "sgd"): "right"}

    def put(replicate: int, fingerprint: str, seeds: int) -> None:
        about = {"task": "diabetes", "optimizer": "sgd", "replicate": replicate, "fingerprint": fingerprint}
        whole = filed.arrays(trials=grid.protocol.trials, seeds=seeds)
        record = records.Record(filed.meta(**about, protocol=grid.protocol.identity), whole)
        records.save(tmp_path, records.encode(record), record.name)

    put(0, "right", 2)
    put(1, "wrong", 2)
    put(2, "right", 1)
    records.unit_file(tmp_path, "diabetes--sgd--r03").write_bytes(b"torn")
    plan = runner.plan(tmp_path, grid, prints)
    assert len(plan.wanted) == 5
    assert [unit.replicate for unit in plan.missing] == [1, 2, 3, 4]
    assert plan.missing[1].previous is not None
    assert plan.stale == ["diabetes--sgd--r01"]
    assert list(plan.damaged) == ["diabetes--sgd--r03"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"suite": "cores"}, "no suite 'cores'; did you mean core?"),
        ({"task_specs": ["digit"]}, "no task 'digit'; did you mean digits"),
        ({"optimizer_specs": ["adamm"]}, "no optimizer 'adamm'; did you mean adam"),
        ({"task_specs": ["digits", "digits"]}, "task 'digits' is named twice"),
        ({"trials": 0}, "trials must be a whole number of at least 1"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"optimizer_specs": "sgd"}, "optimizers must be a list of names, not 'sgd'"),
        ({"optimizer_specs": []}, "optimizers must be a list of names"),
        ({"optimizer_specs": ["optax:nope"]}, "optax:nope"),
        ({"optimizer_specs": ["optax:scale_by_adam"]}, "learning_rate"),
        ({"schedule": "square"}, "no schedule 'square'"),
    ],
)
def test_a_wrong_word_is_named(arguments: dict[str, object], words: str) -> None:
    with pytest.raises((UserError, ValueError), match=words.replace("?", r"\?")):
        resolve(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "words"), [(".hidden", "begins with a dot"), ("x" * 190, "too long a name")])
def test_a_name_of_no_file_is_refused_before_anything_is_computed(tmp_path: Path, name: str, words: str) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text("import optax\n\ndef optimizer(learning_rate=0.1):\n    return optax.sgd(learning_rate)\n")
    with pytest.raises(UserError, match=words):
        resolve("smoke", ["digits(activation='relu', widths=(64, 16, 10))"], [str(file)])


def test_a_budget_replaces_each_tasks_own() -> None:
    assert {task.steps for task in resolve("core", steps=7).tasks} == {7}


class Workers:
    """A pool of two that says who was given what, and does nothing."""

    numbers = (0, 1)
    at_once = 2

    def place(self, file: Path) -> Path:
        return file

    def __init__(self) -> None:
        self.given: list[tuple[int, str]] = []

    def run(
        self, draw: Callable[[int], tuple[_Part, Job] | None], timeout: object, more: Callable[[], bool]
    ) -> Iterator[Ended[_Part]]:
        """Each worker draws in turn; a job ends before the next is drawn."""
        del timeout
        while more():
            for worker in self.numbers:
                if (drawn := draw(worker)) is not None:
                    assert all(draw(other) is None for other in self.numbers)  # the others stay idle
                    self.given.append((worker, drawn[0].task.name))
                    yield Ended(drawn[0], Failure("it does nothing"), 0.0)


@pytest.mark.parametrize("gone", [False, True])
def test_a_task_is_timed_by_the_worker_that_swept_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gone: bool
) -> None:
    grid = resolve("smoke")
    first, second = (task.name for task in grid.tasks)
    todo = {name: {"sgd": {"learning_rate": 0.1}} for name in (first, second)}
    monkeypatch.setattr(step_times, "untimed", lambda *_: todo)
    prints = {(task, name): "print" for task in todo for name in grid.optimizers}
    workers = Workers()
    homes = {first: 7, second: 7} if gone else {first: 1, second: 0}
    told: list[str] = []
    notes: list[str] = []
    step_times.measure(tmp_path, grid, prints, workers, homes, 1.0, lambda: False, told.append, notes.append)  # type: ignore[arg-type]  # no Team
    assert notes == [f"no step times of sgd on {name}: it does nothing" for _, name in workers.given]
    assert told == [task for _, task in workers.given]
    assert workers.given == ([(0, first), (1, second)] if gone else [(0, second), (1, first)])


def test_somebodys_code_is_timed_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            "import optax\n\ndef rule(learning_rate=0.1): return optax.sgd(learning_rate)\n"
        )
    grid = resolve("smoke", ["diabetes"], ["sgd", "adam", str(tmp_path / "one.py"), str(tmp_path / "two.py")])
    chosen = {name: {"learning_rate": 0.1} for name in grid.optimizers}
    parts = step_times._parts(grid.tasks[0], chosen, grid)
    assert [list(part.chosen) for part in parts] == [["sgd", "adam"], ["one"], ["two"]]


class Refusing(Workers):
    """One worker whose jobs fail as the rest of their cells would; before each ends, `then` is done."""

    numbers = (0,)  # type: ignore[assignment]

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self._then = then

    def run(self, draw: Callable[[int], tuple[Any, Job] | None], timeout: object, more: object) -> Iterator[Ended[Any]]:
        del timeout, more
        while (drawn := draw(0)) is not None:
            self._then()
            yield Ended(drawn[0], Failure("stopped"), 0.0)


def test_what_another_command_finished_has_not_failed(tmp_path: Path) -> None:
    grid = resolve("smoke", ["diabetes"], ["sgd"], replicates=2, seeds=2)
    plan = runner.plan(tmp_path, grid, {("diabetes", "sgd"): "right"})

    def finish() -> None:
        about = {"task": "diabetes", "optimizer": "sgd", "replicate": 1, "fingerprint": "right"}
        whole = filed.arrays(trials=grid.protocol.trials, seeds=2)
        record = records.Record(filed.meta(**about, protocol=grid.protocol.identity), whole)
        records.save(tmp_path, records.encode(record), record.name)

    done = runner.sweep(tmp_path, plan, grid.protocol, Refusing(finish), 1.0, lambda _: None)  # type: ignore[arg-type]  # no Team
    assert list(done.failed) == ["diabetes--sgd--r00"]
    assert done.finished == 1
    assert list(failures.reasons(tmp_path, [unit.name for unit in plan.wanted])) == ["diabetes--sgd--r00"]


def test_a_run_that_only_waits_for_another_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(experiment, "PATIENCE_S", 0.0)
    said: list[str] = []
    patience = experiment._Patience(tmp_path, said.append)
    for running in ([units(LONG, "a")[0]], [], [], []):
        time.sleep(0.001)
        patience.look(runner.Progress(2, running=running, elsewhere=1))
    assert said == [f"waiting for 1 unit that another command on {tmp_path} is at; Ctrl-C ends this one"]
