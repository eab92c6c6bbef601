"""Tasks of a user's own: from a file, a package or an object, and what is told who gets it wrong."""

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from bench import tasks
from bench.errors import UserError
from bench.fingerprint import fingerprint
from bench.grid import resolve
from bench.program import compile_program
from bench.protocol import Protocol
from bench.task import Task
from bench.tasks import TASKS, Custom

QUADRATIC = """
import jax, jax.numpy as jnp
from bench.tasks import Custom

CURVATURE = 10.0 ** jnp.linspace(0, 2, 8)


def init(key):
    return {"w": jax.random.normal(key, (8,))}


def exact(w):
    return 0.5 * (CURVATURE * w**2).sum()


def loss(params, batch, key):
    return exact(params["w"]) + 0.1 * jax.random.normal(key, (8,)) @ params["w"]


def evaluate(params, rows):
    return {"loss": exact(params["w"]), "distance": jnp.linalg.norm(params["w"])}


task = Custom(name="noisy_quadratic", init=init, loss=loss, evaluate=evaluate, metric="distance", steps=50)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(QUADRATIC)
    return path


def test_a_file_is_a_task(file: Path) -> None:
    grid = resolve(task_specs=[str(file), "digits"], optimizer_specs=["sgd"], steps=7)
    assert [task.name for task in grid.tasks] == ["noisy_quadratic", "digits"]
    assert {task.steps for task in grid.tasks} == {7}
    model, data = grid.tasks[0].build(), grid.tasks[0].data()
    told = model.evaluate({"w": jnp.ones(8)}, data.evaluation)
    assert float(told["test"]["distance"]) == pytest.approx(8**0.5)


def test_the_only_task_of_a_file_needs_no_name(file: Path) -> None:
    file.write_text(QUADRATIC.replace("task = Custom", "mine = Custom"))
    assert tasks.get(str(file)).name == "noisy_quadratic"
    file.write_text(QUADRATIC.replace("task = Custom", "other = mine = Custom"))
    with pytest.raises(UserError, match="has no task named 'task'; it has mine, other"):
        tasks.get(str(file))
    assert tasks.get(f"{file}:mine").name == "noisy_quadratic"


def test_a_package_holds_a_task() -> None:
    assert tasks.get("tests.toy:quadratic").name == "quadratic"


def test_an_edit_of_its_file_changes_a_tasks_fingerprint(file: Path) -> None:
    def told() -> str:
        return fingerprint(tasks.get(str(file)), "sgd", Protocol())

    before = told()
    file.write_text("# a comment\n" + QUADRATIC)
    assert told() == before
    file.write_text(QUADRATIC.replace("0.1 *", "0.2 *"))
    assert told() != before


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("import jax,", "import jxa,"), "does not import: ModuleNotFoundError"),
        (("noisy_quadratic", "digits"), "the catalogue has a task digits; give this one another name"),
        (("noisy_quadratic", "a/b"), "a name is made of letters, digits and underscores"),
        (("task = Custom", "dict"), "has no task named 'task'"),
    ],
)
def test_a_wrong_file_is_named(file: Path, edit: tuple[str, str], words: str) -> None:
    file.write_text(QUADRATIC.replace(*edit))
    with pytest.raises(UserError, match=r"mine\.py") as error:
        resolve(task_specs=[str(file)], optimizer_specs=["sgd"])
    assert words in str(error.value)


def test_metrics_that_do_not_fit_are_named(file: Path) -> None:
    file.write_text(QUADRATIC.replace('metric="distance"', 'metric="size"'))
    task = tasks.get(str(file))
    with pytest.raises(UserError, match="evaluate gives loss, distance but no 'size'"):
        compile_program(task, optimizers.get("sgd"), Protocol())


def test_without_evaluate_the_loss_is_the_objective() -> None:
    task = Custom(name="plain", init=lambda key: jnp.ones(3), loss=lambda p, batch, key: (p**2).sum(), steps=5)
    program = compile_program(task, optimizers.get("sgd"), Protocol(evaluations=5))
    curve = program.run(program.start(0, "0"), {"learning_rate": 0.25}).metrics["test"]["loss"]
    np.testing.assert_allclose(curve, 3 * 0.25 ** np.arange(6), rtol=1e-5)


def test_a_task_object_that_cannot_travel_is_refused() -> None:
    task = Custom(name="local", init=lambda key: jnp.ones(3), loss=lambda p, batch, key: p.sum(), steps=5)
    with pytest.raises(UserError, match="task local cannot be sent to workers"):
        resolve(task_specs=[task], optimizer_specs=["sgd"])


def test_a_task_object_that_can_is_taken() -> None:
    grid = resolve(task_specs=[replace(TASKS["digits"], name="mine", batch_size=8)], optimizer_specs=["sgd"])
    assert [task.batch_size for task in grid.tasks] == [8]


def test_a_batch_larger_than_the_data_is_refused() -> None:
    task: Task = replace(TASKS["diabetes"], batch_size=1000)
    with pytest.raises(UserError, match="a batch of 1000 rows cannot be drawn from 310"):
        compile_program(task, optimizers.get("sgd"), Protocol()).start(0, "0")
