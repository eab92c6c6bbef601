"""Writes which optimizers of the installed optax run as they are, to docs/optax.md: `python -m tests.optax_table`."""

import contextlib
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from bench import apart, tasks
from bench.checks import said
from bench.program import compile_program
from bench.protocol import Protocol
from optimizers import Optimizer, OptimizerError, _bare

DOC = Path(__file__).parent.parent / "docs" / "optax.md"
MODULES = (optax, optax.contrib)
PARAMS = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
TASK, STEPS = "breast_cancer", 40
# What is tried where an argument has no default.
GIVEN = {"optax.contrib:dpsgd": "(l2_norm_clip=1.0, noise_multiplier=0.1, seed=0)"}
HEADER = "| optimizer | runs | learning rate | searched beside it | needs | why not, or what the checks say |"

INTRODUCTION = """# The optimizers of optax

An optimizer of optax joins a comparison by its name, as in `make bench OPTIMIZERS='adam,optax:lion'`, and with its
hyperparameters fixed in brackets: `'optax:sgd(momentum=0.9)'`. Its search space is guessed from the names and
defaults of its arguments; `optgrid check optax:lion` says the guess.

`python -m tests.optax_table` tried all optimizers of optax {version} and of its `contrib`, which are the public
functions that take a learning rate and give a `GradientTransformation`, and wrote this table: {runs} of {all} run.

- **runs**: whether it trained the network of `{task}` for {steps} steps in the suite's own program, at its defaults.
- **learning rate**: its default, and what a search takes it from. Where optax has no default, it is 0.001.
- **searched beside it**: the second hyperparameter of a search; a wide search has more.
- **needs**: arguments that have no default and must be fixed in brackets, or what the update takes beside gradients
  and parameters: `value`, the loss, `grad`, its gradient, `value_fn`, the loss as a function of the parameters, or
  `key`. These are given.
- **why not, or what the checks say**: the first of `optgrid check`'s findings, if any. What runs can be benchmarked in
  spite of it: a network of the suite has neither scalars nor empty arrays among its parameters, as the checks have.

A function says neither which parameters to evaluate nor how many gradients a step takes. So optax's schedule-free
optimizers are evaluated at the parameters that they train, not at their averages, and the line searches of its `lbfgs`
are not paid for. The catalogue's `schedule_free_sgd`, `schedule_free_adamw` and `lbfgs` do both, and
`schedule_free:OPT` goes around any optimizer.
"""


class Row(NamedTuple):
    """A row of the table, as text."""

    spec: str
    runs: str
    rate: str
    beside: str
    needs: str
    problem: str

    def __str__(self) -> str:
        return f"| `{self.spec}` | {' | '.join(self[1:])} |"


def specs() -> list[str]:
    """Every optimizer of the installed optax, as a spec: functions with a learning rate that give a transformation."""
    return [f"{m.__name__}:{name}" for m in MODULES for name, x in sorted(vars(m).items()) if _is_optimizer(name, x)]


def _is_optimizer(name: str, function: Any) -> bool:
    if not inspect.isfunction(function) or name.startswith(("_", "scale_by_")):
        return False
    signature = inspect.signature(function)
    gives = signature.return_annotation
    transformation = gives is signature.empty or "GradientTransformation" in str(gives)
    return transformation and any(argument.endswith("learning_rate") for argument in signature.parameters)


def row(spec: str) -> Row:
    """Tries one."""
    checked = apart.check(spec, timeout=300)
    try:
        found = _bare.get(spec)
    except OptimizerError:
        wanting = ", ".join(_wanting(spec))
        first = checked.broken[0].problem
        if (brackets := GIVEN.get(spec)) is not None:
            first = f"with {brackets}: {trained(_bare.get(spec + brackets)) or 'runs'}"
        return Row(spec, "no", "", "", wanting, _words(spec, first))
    why_not = trained(found)
    first = why_not or (checked.broken[0].problem if checked.broken else "")
    laws = {name: f"{found.defaults[name]:g}, {law}" for name, law in found.space.items()}
    beside = "; ".join(f"{name} {law}" for name, law in laws.items() if name != "learning_rate")
    needs = "" if why_not else ", ".join(f"`{name}`" for name in needed(found.make()))
    return Row(spec, "no" if why_not else "yes", laws["learning_rate"], beside, needs, _words(spec, first))


def trained(optimizer: Optimizer) -> str:
    """Trains a network in the suite's own program; why that is not possible, or nothing."""
    protocol = Protocol()
    task = tasks.get(TASK, STEPS)
    task.prepare()
    try:
        program = compile_program(task, optimizer, protocol, 1)
        curves = next(iter(program.runs([(program.start(0, "search"), optimizer.start)])))
    except Exception as error:  # whatever it raises is why
        return said(error)
    return "the training diverges at the defaults" if int(curves.diverged) >= 0 else ""


def _words(spec: str, problem: str) -> str:
    return re.sub(r" \(/.*, line \d+\)$", "", problem).replace("|", "/").replace(f"optimizer {spec!r}: ", "")


def _wanting(spec: str) -> list[str]:
    module, _, name = spec.partition(":")
    function: Callable[..., Any] = getattr({m.__name__: m for m in MODULES}[module], name)
    parameters = inspect.signature(function).parameters.values()
    return [f"`{p.name}=`" for p in parameters if p.default is p.empty and p.name != "learning_rate"]


def needed(transform: optax.GradientTransformationExtraArgs) -> list[str]:
    """The arguments of `update` that it cannot do without, beside gradients, state and parameters."""

    def loss(params: Any, **given: Any) -> jax.Array:
        del given
        return sum((jnp.sum(x**2) for x in jax.tree.leaves(params)), start=jnp.zeros(()))

    every = {"value": loss(PARAMS), "grad": PARAMS, "value_fn": loss, "key": jax.random.key(0)}

    def suffice(given: Mapping[str, Any]) -> bool:
        with contextlib.suppress(Exception):  # whatever it raises for want of an argument
            jax.eval_shape(lambda: transform.update(PARAMS, transform.init(PARAMS), PARAMS, **given))
            return True
        return False

    kept = dict(every)
    for name in every:
        rest = {n: x for n, x in kept.items() if n != name}
        if suffice(rest):
            kept = rest
    return list(kept)


def read() -> dict[str, list[str]]:
    """The rows of the document, by spec: the texts of the other columns."""
    rows = [line.split("|")[1:-1] for line in DOC.read_text().splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def main() -> None:
    """Tries all of them and writes the document."""
    rows = []
    for spec in specs():
        rows.append(row(spec))
        print(rows[-1], flush=True)
    runs = sum(found.runs == "yes" for found in rows)
    words = INTRODUCTION.format(version=optax.__version__, runs=runs, all=len(rows), task=TASK, steps=STEPS)
    lines = [words, HEADER, "| --- " * len(Row._fields) + "|", *map(str, rows)]
    DOC.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
