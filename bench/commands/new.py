"""`optgrid new`: an optimizer's file to start from, which passes `optgrid check` as it is."""

import argparse
import keyword
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

TEMPLATE = '''"""NAME: one line on the idea.

Author, year, identifier, Algorithm 1.

    v <- momentum v + g
    theta <- theta - lr v

Say here what the paper leaves open, and what other implementations do.
"""

from typing import NamedTuple

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class STATE(NamedTuple):
    """What is carried from step to step, all of it arrays."""

    velocity: PyTree  # like params


def NAME(learning_rate: Scalar = 0.01, momentum: Scalar = 0.9) -> optax.GradientTransformationExtraArgs:
    """Momentum, until the rule is another; hyperparameters may be traced, so no `if` may ask for their values."""

    def init(params: Params) -> STATE:
        return STATE(zeros_like(params))

    # A rule that needs more than gradients names it: params, value_fn (the loss as a function of params), key.
    def update(grads: PyTree, state: STATE) -> tuple[PyTree, STATE]:
        velocity = jax.tree.map(lambda v, g: momentum * v + g, state.velocity, grads)
        updates = jax.tree.map(lambda v: -learning_rate * v, velocity)  # is added to the parameters
        return updates, STATE(velocity)

    return in_float32(init, update)


optimizer = Optimizer(
    make=NAME,
    # What a search varies beside the defaults: two at most, and more in wide={...} for a search with more trials.
    space={"learning_rate": log_uniform(1e-4, 1.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    paper="Author, year, identifier, Algorithm 1",
)
'''
# Names that the template has a use for.
TAKEN = frozenset({"in_float32", "log_uniform", "one_minus", "optimizer", "zeros_like"})


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid new`."""
    parser.add_argument("name", help="of the optimizer and its file, in lower snake case: my_opt")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the file (default: here)")


def main(args: argparse.Namespace) -> int:
    """Writes the file and says what comes next.

    Raises:
      UserError: the name is none, or the file is there already or cannot be written.
    """
    from bench import files
    from bench.errors import UserError

    _check(args.name)
    path: Path = args.out / f"{args.name}.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(template(args.name))
    except FileExistsError:
        there = path if path.exists() else args.out
        raise UserError(f"{there} is there already and stays as it is; choose another name or --out") from None
    except OSError as error:
        raise UserError(files.explain(error, path)) from error
    shown = shlex.quote(str(path))
    print(f"{path} is momentum SGD, ready to be changed. Then:\n")
    print(f"  optgrid check {shown}")
    print(f"  make compare OPT={shown}")
    return 0


def template(name: str) -> str:
    """The text of a new optimizer's file."""
    state = "".join(word.capitalize() for word in name.split("_")) + "State"
    return TEMPLATE.replace("STATE", state).replace("NAME", name)


def _check(name: str) -> None:
    """Refuses what cannot be the name of an optimizer, of a function and of a file at once."""
    import optimizers
    from bench.errors import UserError

    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name) or name in TAKEN:
        raise UserError(f"{name!r} cannot be an optimizer's name; take lower snake case, as in my_opt")
    if name in optimizers.names() or name in optimizers.wrapper_names():
        raise UserError(f"the catalogue has {name} already; choose another name")
    found = find_spec(name)
    if found is not None and not (found.origin and Path(found.origin).parent == Path.cwd()):
        raise UserError(f"{name} is a Python module's name, which a file of that name would hide; choose another")
