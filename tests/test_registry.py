"""Naming optimizers: what a spec may be, and what a user is told who gets it wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optimizers
from optimizers import Optimizer, OptimizerError
from optimizers._base import DEFAULT_SPACE
from optimizers._space import log_uniform, one_minus

PLAIN = """
import optax

def mine(learning_rate=0.5, scale=1.0):
    return optax.sgd(learning_rate * scale)

def other(learning_rate):
    return optax.sgd(learning_rate)

def rateless(momentum):
    return optax.sgd(0.1)

number = 3
"""

FULL = """
import optax
from optimizers._base import Optimizer
from optimizers._space import log_uniform

def make(learning_rate=0.25, momentum=None):
    return optax.sgd(learning_rate, momentum)

optimizer = Optimizer(make=make, space={"learning_rate": log_uniform(0.1, 1.0)}, paper="none")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLAIN)
    return path


def first_step(optimizer: Optimizer, **hparams: float) -> float:
    """What the parameter 1 with gradient 1 becomes."""
    transform = optimizer.make(**hparams)
    assert isinstance(transform, optax.GradientTransformationExtraArgs)
    one = jnp.ones(())
    updates, _ = transform.update(one, transform.init(one), one, value=one)
    return float(one + updates)


def test_names_are_the_files() -> None:
    files = Path(optimizers.__file__).parent.glob("[!_]*.py")
    assert optimizers.names() == sorted(path.stem for path in files)
    assert {"adagrad", "adam", "adamw", "momentum", "nesterov", "rmsprop", "sgd"} <= set(optimizers.names())


def test_listing_and_finding_import_neither_jax_nor_optax() -> None:
    code = (
        "import optimizers, sys; optimizers.names(); optimizers.source_file('adam'); optimizers.parse('adam(b2=0.5)');"
        "assert not {'jax', 'optax', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(optimizers.__file__).parents[1])


def test_a_name_gives_the_catalogues_optimizer() -> None:
    adam = optimizers.get("adam")
    assert adam.name == "adam"
    assert adam.defaults["learning_rate"] == 1e-3
    assert adam.defaults["b2"] == 0.999
    assert adam.start == {"learning_rate": 1e-3, "b1": 0.9}
    assert adam.fixed == {}
    assert first_step(adam) == pytest.approx(1 - 1e-3)
    assert adam.eval_params(None, {"w": 1}) == {"w": 1}
    assert adam.grad_evals is None


def test_brackets_fix_hyperparameters() -> None:
    adam = optimizers.get("adam(b1=0.5, eps_hat=True)")
    assert adam.name == "adam(b1=0.5, eps_hat=True)"
    assert adam.fixed == {"b1": 0.5, "eps_hat": True}
    assert adam.defaults["b1"] == 0.5
    assert list(adam.space) == ["learning_rate"]
    rmsprop = optimizers.get("rmsprop( decay = 0.75 )")
    assert rmsprop.name == "rmsprop(decay=0.75)"
    assert first_step(rmsprop, learning_rate=0.25) == pytest.approx(0.5)
    assert first_step(optimizers.get("sgd(learning_rate=0.25)")) == 0.75


def test_spelling_does_not_change_the_name() -> None:
    assert optimizers.parse("adam(b2=.5,b1=0.50)").name == optimizers.parse(" adam( b1=0.5, b2=0.5 )").name


def test_optax_needs_no_file() -> None:
    lion = optimizers.get("optax:lion")
    assert lion.name == "optax:lion"
    assert lion.space == DEFAULT_SPACE
    assert lion.start == {"learning_rate": 1e-3}
    assert first_step(lion, learning_rate=0.5) == pytest.approx(0.5, abs=1e-2)
    assert optimizers.get("optax.contrib:adopt").name == "optax.contrib:adopt"
    fixed = optimizers.get("optax:sgd(momentum=0.9, nesterov=True)")
    assert first_step(fixed, learning_rate=0.1) == pytest.approx(1 - 0.19)


def test_a_module_on_the_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = file.parent / "somebodys"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "rules.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(str(file.parent))
    assert first_step(optimizers.get("somebodys.rules:mine")) == 0.5
    assert optimizers.get("somebodys.rules:mine(scale=0.5)").name == "somebodys.rules:mine(scale=0.5)"
    assert optimizers.source_file("somebodys.rules:mine") == package / "rules.py"


def test_a_file(file: Path) -> None:
    mine = optimizers.get(str(file))
    assert (mine.name, mine.start, mine.space) == ("mine", {"learning_rate": 0.5}, DEFAULT_SPACE)
    assert first_step(mine) == 0.5
    other = optimizers.get(f"{file}:other")
    assert (other.name, other.start) == ("mine:other", {"learning_rate": 1e-3})
    assert first_step(other) == pytest.approx(1 - 1e-3)
    assert first_step(optimizers.get(f"{file}(scale=0.5)")) == 0.75
    assert optimizers.source_file(f"{file}:other") == file


def test_a_file_with_an_optimizer_of_its_own(file: Path) -> None:
    file.write_text(FULL)
    mine = optimizers.get(str(file))
    assert mine.start == {"learning_rate": 0.25}
    assert mine.paper == "none"
    assert first_step(mine) == 0.75


def test_a_whole_number_is_a_default_too(file: Path) -> None:
    file.write_text(PLAIN.replace("learning_rate=0.5", "learning_rate=1"))
    assert optimizers.get(str(file)).start == {"learning_rate": 1.0}


def test_hyperparameters_may_be_traced() -> None:
    step = jax.jit(
        lambda rate: optimizers.get("sgd").make(learning_rate=rate).update(jnp.ones(2), optax.EmptyState())[0]
    )
    np.testing.assert_array_equal(step(0.5), [-0.5, -0.5])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("adamm", "there is no optimizer 'adamm'; did you mean adam"),
        ("zzz", "there is no optimizer 'zzz'; the catalogue has adabelief, adabound"),
        ("_base", "there is no optimizer '_base'"),
        ("", "there is no optimizer ''"),
        ("adam(beta2=0.5)", "no hyperparameter beta2; it has learning_rate, b1, b2, eps"),
        ("adam(0.5)", "must hold name=value pairs"),
        ("adam(b2=half)", "must hold name=value pairs"),
        ("adam(b2=0.5", "must hold name=value pairs"),
        ("adam(**{'b2': 1})", "must hold name=value pairs"),
        ("adam(b2=0.5)(b1=0.5)", "must hold name=value pairs"),
        ("adam(b2=0.5, b2=0.6)", "must hold name=value pairs"),
        ("adam(b2='x')", "b2 cannot be 'x'; by default it is 0.999"),
        ("adam(b2=None)", "b2 cannot be None; by default it is 0.999"),
        ("adam(eps_hat=1)", "eps_hat cannot be 1; by default it is False"),
        ("lbfgs(memory=2.5)", "memory cannot be 2.5; by default it is 10"),
        ("lbfgs(memory=0)", "memory 0 is not a number of steps"),
        ("lookahead(sync_period=0)", "sync_period 0 is not a number of steps"),
        ("soap(precondition_frequency=0)", "precondition_frequency 0 is not a number of steps"),
        ("muon(scale='x')", "scale 'x' is neither original nor match_rms"),
        ("cautious", "'cautious' goes around an optimizer: write cautious:adam, say"),
        ("ema:", "nothing stands behind the colon"),
        ("ema:nosuch", "there is no optimizer 'nosuch'"),
        ("sam:sam", "'sam:sam': what is wrapped has a rho of its own"),
        ("lookahead(sync_period=7):adam", "must hold name=value pairs, as in adam(b2=0.5), and stand last"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("no_such_module:thing", "there is no module 'no_such_module' to import"),
        ("optax.no_such:thing", "there is no module 'optax.no_such' to import"),
        ("optax:no_such", "optax has neither an Optimizer nor a function 'no_such'"),
        ("optax:clip", "takes no argument named learning_rate"),
    ],
)
def test_mistakes_are_named(spec: str, message: str) -> None:
    with pytest.raises(OptimizerError) as caught:
        optimizers.get(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "attr", "message"),
    [
        ("raise SystemExit(3)", "", "does not import: SystemExit: 3"),
        (FULL.replace("log_uniform(0.1, 1.0)", "(0.1, 1.0)"), "", "the space of learning_rate is no law"),
        ("import no_such_package", "", "does not import: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def mine(:", "", "does not import: SyntaxError"),
        (FULL.replace('"learning_rate"', '"rate"'), "", "OptimizerError: the space names rate: no hyperparameter of"),
        (FULL.replace('"learning_rate"', '"momentum"'), "", "the space names momentum: no hyperparameter of"),
        (PLAIN, ":missing", "has neither an Optimizer nor a function 'missing'"),
        (PLAIN, ":number", "has neither an Optimizer nor a function 'number'"),
        (PLAIN, ":rateless", "takes no argument named learning_rate"),
        ("", "", "has neither an Optimizer nor a function 'mine'"),
    ],
)
def test_mistakes_in_a_users_file_are_named(file: Path, source: str, attr: str, message: str) -> None:
    file.write_text(source)
    with pytest.raises(OptimizerError) as caught:
        optimizers.get(f"{file}{attr}")
    assert message in str(caught.value)
    assert "mine.py" in str(caught.value) or "_optimizer_mine" in str(caught.value)


def test_a_package_that_fails_to_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "__init__.py").write_text("1 / 0")
    (tmp_path / "failing" / "rules.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    for spec in ("failing:mine", "failing.rules:mine"):
        with pytest.raises(OptimizerError, match="failing"):
            optimizers.get(spec)


def test_laws_of_search_spaces() -> None:
    u = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(log_uniform(1e-2, 1.0).quantile(u), [1e-2, 1e-1, 1.0])
    np.testing.assert_allclose(one_minus(log_uniform(1e-2, 1.0)).quantile(u), [0.99, 0.9, 0.0], atol=1e-12)
    assert str(one_minus(log_uniform(1e-2, 0.5))) == "1 - (log-uniform 0.01 to 0.5)"
    for low, high in [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, float("inf"))]:
        with pytest.raises(ValueError, match="0 < low < high"):
            log_uniform(low, high)


def test_a_wide_search_has_every_law_but_those_of_fixed_hyperparameters() -> None:
    assert set(optimizers.get("adam").widened.space) == {"learning_rate", "b1", "b2", "eps"}
    assert set(optimizers.get("adam(eps=1e-4)").widened.space) == {"learning_rate", "b1", "b2"}
    wrapped = optimizers.get("lookahead:adam")
    assert set(wrapped.space) == {"learning_rate", "slow_step_size"}
    assert set(wrapped.widened.space) == {"learning_rate", "slow_step_size", "b1", "b2", "eps"}


@pytest.mark.parametrize("name", ["adam", "ema", "lbfgs", "prodigy", "schedule_free_adamw", "soap"])
def test_parameters_and_state_may_be_donated(name: str) -> None:
    """So no buffer of a state is the parameters' own, or in it twice."""
    transform = optimizers.get(name).make()
    params = {"w": jnp.ones((2, 3)), "b": jnp.zeros(2)}
    state = transform.init(params)

    def step(params: Any, state: Any) -> Any:
        updates, state = transform.update(params, state, params, value=1.0, value_fn=lambda p: jnp.sum(p["w"] ** 2))
        return optax.apply_updates(params, updates), state

    donating = jax.jit(step, donate_argnums=(0, 1))
    kept = jax.tree.map(np.array, params)
    plain = jax.jit(step)(*jax.jit(step)(kept, transform.init(kept)))
    jax.tree.map(np.testing.assert_array_equal, donating(*donating(params, state)), plain)
