"""Changes to a rule that are the same for every rule: averages, look-aheads, masks, decay.

    lookahead(adam)                 # Optimizer -> Optimizer, as a catalogue's file does
    optimizers.get("lookahead:adam(b1=0.5, sync_period=10)")     # the same for a user's spec

A wrapped optimizer has the hyperparameters of both; only `learning_rate` may belong to both, and is then one.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree
from optimizers._names import OptimizerError
from optimizers._space import Space, holds


@dataclass(frozen=True)
class Wrapper:
    """A change to any optimizer.

    Attributes:
      wrap: (the inner transformation, hyperparameters by name, all optional) to a transformation whose state has the
        inner one's as its field `inner`.
      paper: where it stands.
      space: what a search varies of its own hyperparameters, beside the inner optimizer's learning rate.
      eval_params: (state, params) to the parameters to evaluate; None leaves that to the inner optimizer.
      grad_evals: (state, what the inner optimizer spent, or None if that is one a step) to the gradient evaluations
        spent so far; None leaves them to the inner optimizer.
      flat: whether neither shapes nor the bounds of leaves mean anything to the change itself.
    """

    wrap: Callable[..., optax.GradientTransformationExtraArgs]
    paper: str
    space: Space = field(default_factory=dict)
    eval_params: Callable[[PyTree, Params], Params] | None = None
    grad_evals: Callable[[PyTree, jax.Array | None], jax.Array] | None = None
    flat: bool = False

    def __call__(self, inner: Optimizer, *, space: Space | None = None, paper: str = "", **defaults: Any) -> Optimizer:
        """The inner optimizer, changed.

        Args:
          space, paper: what stands instead of the wrapper's own and the inner optimizer's.
          defaults: hyperparameters, of the wrapper or the inner optimizer, whose defaults are others here.

        Raises:
          OptimizerError: both have a hyperparameter of one name.
        """
        own = {p.name: p for p in list(inspect.signature(self.wrap).parameters.values())[1:]}
        theirs = inspect.signature(inner.make).parameters
        if clash := sorted((set(own) & set(theirs)) - {"learning_rate"}):
            raise OptimizerError(f"what is wrapped has a {', '.join(clash)} of its own, which the wrapper has too")
        every = {
            name: p.replace(kind=p.KEYWORD_ONLY, default=defaults.get(name, p.default))
            for name, p in {**own, **theirs}.items()
        }

        def make(**hparams: Any) -> optax.GradientTransformationExtraArgs:
            full = {**{name: p.default for name, p in every.items()}, **hparams}
            within = inner.make(**{name: value for name, value in full.items() if name in theirs})
            return self.wrap(within, **{name: value for name, value in full.items() if name in own})

        make.__signature__ = inspect.Signature(list(every.values()))  # type: ignore[attr-defined]  # what `Optimizer.defaults` reads
        rate = {name: law for name, law in inner.space.items() if name == "learning_rate"}
        searched = {**(rate if self.space else inner.space), **self.space} if space is None else space
        laws = {**inner.wide, **inner.space, **self.space}
        return Optimizer(
            make=make,
            space=searched,
            # A default that was changed may be outside its law, as a weight decay of zero is of a logarithmic one.
            wide={n: law for n, law in laws.items() if n not in searched and holds(law, every[n].default)},
            paper=paper or f"{self.paper}; {inner.paper}",
            eval_params=self._eval_params(inner),
            grad_evals=self._grad_evals(inner),
            flat=self.flat and inner.flat,
        )

    def _eval_params(self, inner: Optimizer) -> Callable[[PyTree, Params], Params]:
        return self.eval_params or (lambda state, params: inner.eval_params(state.inner, params))

    def _grad_evals(self, inner: Optimizer) -> Callable[[PyTree], jax.Array] | None:
        own, theirs = self.grad_evals, inner.grad_evals
        if own is not None:
            return lambda state: own(state, None if theirs is None else theirs(state.inner))
        return None if theirs is None else lambda state: theirs(state.inner)
