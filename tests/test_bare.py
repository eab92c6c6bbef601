"""Bare functions as optimizers: what is guessed of them, what is said of it, and what is refused."""

import re
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

import optimizers
from bench import jobs, tasks
from bench.fingerprint import fingerprint
from bench.protocol import Protocol
from optimizers import OptimizerError, _bare
from optimizers._bare import OwnCodeError
from optimizers._space import Distribution, holds

SIGNATURES = {
    "learning_rate=0.01, b1=0.9, b2=0.999, eps=1e-8": (
        {"learning_rate": "log-uniform 3.16e-05 to 3.16", "b1": "1 - (log-uniform 0.01 to 0.5)"},
        {"b2": "1 - (log-uniform 0.0001 to 0.3)", "eps": "log-uniform 1e-10 to 0.0001"},
    ),
    "learning_rate": ({"learning_rate": "log-uniform 0.0001 to 1"}, {}),
    "lr=1.0, decay=0.9, scale=2.0": (
        {"learning_rate": "log-uniform 0.00316 to 316", "decay": "1 - (log-uniform 0.01 to 0.5)"},
        {},
    ),
    "step_size=0.1, momentum=0.0, weight_decay=0.01": (
        {"learning_rate": "log-uniform 0.000316 to 31.6", "weight_decay": "log-uniform 0.0001 to 1"},
        {"momentum": "1 - (log-uniform 0.1 to 1)"},
    ),
    "alpha=0.1, weight_decay=0.0, decay=1e-6": (
        {"learning_rate": "log-uniform 0.000316 to 31.6"},
        {"weight_decay": "uniform 0 to 0.1"},
    ),
    "b1=0.9, lr=0.1, alpha=0.99, epsilon=0.0, steps=3, nesterov=False, mask=None": (
        {"learning_rate": "log-uniform 0.000316 to 31.6", "b1": "1 - (log-uniform 0.01 to 0.5)"},
        {},
    ),
}


def written(folder: Path, signature: str, body: str = "optax.sgd(0.5)") -> str:
    # A folder for each: Python takes a file of the same size, written in the same second, for the one it has compiled.
    path = folder / str(len(list(folder.iterdir()))) / "mine.py"
    path.parent.mkdir()
    path.write_text(f"import optax\n\n\ndef mine({signature}):\n    return {body}\n")
    return str(path)


def words(laws: Mapping[str, Distribution]) -> dict[str, str]:
    return {name: str(law) for name, law in laws.items()}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_space_is_guessed_from_names_and_defaults(signature: str, tmp_path: Path) -> None:
    found = _bare.get(written(tmp_path, signature))
    assert (words(found.space), words(found.wide)) == SIGNATURES[signature]
    assert all(holds(law, found.defaults[name]) for name, law in found.widened.space.items())


@pytest.mark.parametrize("spec", [f"optax:{name}" for name in ("adam", "adan", "lars", "lion", "novograd", "rmsprop")])
def test_defaults_of_optax_are_inside_what_is_guessed(spec: str) -> None:
    found = _bare.get(spec).widened
    assert all(holds(law, found.start[name]) for name, law in found.space.items())


def test_the_guess_is_said(tmp_path: Path) -> None:
    assert _bare.find(written(tmp_path, "lr, beta=0.9, eps=1e-8, nesterov=False")).guessed == (
        "the search space is guessed from names and defaults; an Optimizer(...) would say its own",
        "lr is taken for the learning rate and called learning_rate here",
        "its learning rate has no number as default, so 0.001 is taken",
        "learning_rate: 0.001, searched log-uniform 0.0001 to 1",
        "beta: 0.9, searched 1 - (log-uniform 0.01 to 0.5)",
        "eps: 1e-08, in a wide search log-uniform 1e-10 to 0.0001",
        "not searched: nesterov",
    )
    assert _bare.find("adam").guessed == _bare.find("ema:adam(b1=0.5)").guessed == ()


def test_another_name_of_the_rate_and_brackets_reach_the_function(tmp_path: Path) -> None:
    spec = written(tmp_path, "scale=1.0, lr=0.25", "optax.sgd(lr * scale)")
    for asked, given, step in ((spec, {}, 0.25), (spec, {"learning_rate": 0.5}, 0.5), (f"{spec}(scale=2.0)", {}, 0.5)):
        transform = _bare.get(asked).make(**given)
        assert isinstance(transform, optax.GradientTransformationExtraArgs)
        updates, _ = transform.update(jnp.ones(()), transform.init(jnp.ones(())))
        assert float(updates) == -step
    fixed = _bare.get(f"{spec}(learning_rate=0.5)")
    assert (fixed.name, fixed.space, fixed.fixed) == ("mine(learning_rate=0.5)", {}, {"learning_rate": 0.5})
    assert not any(line.startswith("learning_rate:") for line in _bare.find(f"{spec}(learning_rate=0.5)").guessed)


def test_what_has_no_default_can_be_fixed(tmp_path: Path) -> None:
    spec = written(tmp_path, "scale, lr=0.25", "optax.sgd(lr * scale)")
    fixed = _bare.get(f"{spec}(scale=2.0)")
    assert fixed.defaults == {"learning_rate": 0.25, "scale": 2.0}
    transform = fixed.make()
    updates, _ = transform.update(jnp.ones(()), transform.init(jnp.ones(())))
    assert float(updates) == -0.5


def test_a_wrapped_function_is_searched_in_both_spaces(tmp_path: Path) -> None:
    found = _bare.get(f"lookahead:{written(tmp_path, 'lr=0.1, momentum=0.9')}")
    assert set(found.space) == {"learning_rate", "slow_step_size"}
    assert set(found.widened.space) == {"learning_rate", "slow_step_size", "momentum"}
    assert found.name == "lookahead:mine"


def test_the_only_function_of_a_file_needs_no_name(tmp_path: Path) -> None:
    path = Path(written(tmp_path, "lr=0.1")).rename(tmp_path / "idea.py")
    path.write_text(
        f"from optax import adam\nfrom jax import jit\n{path.read_text()}\n\ndef _helper(x):\n    return x\n"
    )
    assert _bare.get(str(path)).paper.endswith(".mine")
    path.write_text(f"{path.read_text()}\n\ndef second(lr):\n    pass\n")
    with pytest.raises(OwnCodeError, match=r"idea.py has mine, second; name one, as in .*idea.py:mine"):
        _bare.get(str(path))
    assert _bare.get(f"{path}:mine").name == "idea:mine"


def test_an_optimizer_in_the_file_wins(tmp_path: Path) -> None:
    spec = written(tmp_path, "learning_rate=0.1, b1=0.9")
    path = Path(spec).rename(tmp_path / "idea.py")
    path.write_text(
        "from optimizers._base import Optimizer\nfrom optimizers._space import log_uniform\n"
        "from optimizers.adam import optimizer as adam\n"
        f"{path.read_text()}\n"
        "sound = Optimizer(make=mine, space={'learning_rate': log_uniform(0.1, 1.0)}, paper='')\n"
    )
    assert words(_bare.get(str(path)).space) == {"learning_rate": "log-uniform 0.1 to 1"}
    assert _bare.find(str(path)).guessed == ()


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("rate=0.1, b1=0.9", "takes no argument named learning_rate (nor lr, step_size, stepsize, alpha) but rate, b1"),
        ("", "but none at all; rename the one that is its learning rate"),
        ("*args", "but none at all; rename the one that is its learning rate"),
        ("alpha=0.99", "alpha=0.99 hardly is a learning rate; rename what is to learning_rate"),
        ("lr, momentum, b", "give momentum and b a default, or a value in brackets"),
        ("lr=0.0", "the default lr must be above zero, not 0.0"),
        ("lr=-1", "the default lr must be above zero, not -1"),
        ("lr, /", "lr cannot be given by name"),
    ],
)
def test_what_cannot_be_guessed_is_refused_with_its_line(signature: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(OwnCodeError) as caught:
        _bare.get(written(tmp_path, signature))
    assert message in str(caught.value)
    assert str(caught.value).endswith("mine.py, line 4)")


def test_a_wrong_spec_is_told_from_a_wrong_file(tmp_path: Path) -> None:
    spec = written(tmp_path, "lr")
    for wrong in (f"{spec}:nothing", f"{spec}(b1=0.9)", f"{spec}(learning_rate='x')", "nowhere.py", "adamm", "ema:"):
        with pytest.raises(OptimizerError) as caught:
            _bare.get(wrong)
        assert not isinstance(caught.value, OwnCodeError), wrong
    Path(spec).write_text("import nothing_of_the_kind")
    with pytest.raises(OwnCodeError, match="does not import"):
        _bare.get(spec)


def test_fingerprints_hold_the_guess_where_there_may_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.fingerprint.code_digest", lambda *files: str("_bare.py" in {f.name for f in files}))
    task = tasks.get("breast_cancer")
    kinds = {spec: fingerprint(task, spec, Protocol()) for spec in ("sgd", "optax:sgd", "ema:sgd", "ema:optax:sgd")}
    monkeypatch.setattr("bench.fingerprint.code_digest", lambda *files: "True")
    with_guess = {spec: fingerprint(task, spec, Protocol()) for spec in kinds}
    assert [spec for spec in kinds if kinds[spec] == with_guess[spec]] == ["optax:sgd", "ema:optax:sgd"]


def test_the_front_door_gives_what_runs_for_the_catalogue() -> None:
    assert words(_bare.get("adam").widened.space) == words(optimizers.get("adam").widened.space)


def test_a_run_searches_what_was_guessed(tmp_path: Path) -> None:
    spec, protocol = written(tmp_path, "lr=0.1, momentum=0.9", "optax.sgd(lr, momentum)"), Protocol(steps=20)
    expected = fingerprint(tasks.get("breast_cancer", 20), spec, protocol)
    program = jobs._program("breast_cancer", spec, protocol, expected, 1)
    assert words(program.optimizer.space) == words(_bare.get(spec).space)
    assert set(program.optimizer.space) == {"learning_rate", "momentum"}


DOC = Path(__file__).parent.parent / "docs" / "add-an-optimizer.md"


def test_the_function_in_the_guide_is_an_optimizer(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert len(code) == 1
    (tmp_path / "idea.py").write_text(code[0])
    found = _bare.get(f"{tmp_path}/idea.py")
    assert set(found.space) == {"learning_rate", "momentum"}
    assert found.make().init(jnp.ones(2))


def test_the_laws_in_the_guide_are_those_that_are_guessed(tmp_path: Path) -> None:
    rows = [line.split("|")[1] for line in DOC.read_text().splitlines() if line.startswith("| `")]
    rates, *others = [re.findall(r"`(\w+)`", names) for names in rows]
    assert set(rates) < set(_bare.RATES)
    for name in (name for names in others for name in names):
        assert name in _bare.get(written(tmp_path, f"lr, {name}=0.9")).widened.space, name
