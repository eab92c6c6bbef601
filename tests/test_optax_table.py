"""docs/optax.md is what the installed optax gives."""

from importlib.metadata import version

import pytest

from tests import optax_table


def test_the_rows_are_the_optimizers_of_the_installed_optax() -> None:
    assert list(optax_table.read()) == optax_table.specs()
    assert f"tried all optimizers of optax {version('optax')} and" in optax_table.DOC.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "runs", "words"),
    [
        ("optax:adamw", "yes", ""),
        ("optax:lbfgs", "yes", "weakly typed"),
        ("optax.contrib:momo", "yes", ""),
        ("optax.contrib:muon", "yes", "ZeroDivisionError"),
        ("optax:polyak_sgd", "no", "takes no argument named learning_rate"),
        ("optax.contrib:dpsgd", "no", "expects `grads` to have a batch dimension"),
        ("optax.contrib:sophia", "no", "obj_fn must be provided"),
    ],
)
@pytest.mark.filterwarnings("default")  # optax's own
def test_verdicts_hold(spec: str, runs: str, words: str) -> None:
    found = optax_table.row(spec)
    assert found.runs == runs
    assert words in found.problem
    assert optax_table.read()[spec] == list(found[1:])
