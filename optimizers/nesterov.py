"""Nesterov's accelerated gradient, in the form of deep learning.

Nesterov, 1983, Doklady 269(3); Sutskever, Martens, Dahl & Hinton, 2013, ICML, section 2.

    v <- momentum v + g
    theta <- theta - lr (g + momentum v)

This is the heavy ball with one step more along the new velocity. The second paper writes it with gradients at
theta + momentum v, for v <- momentum v - lr g, theta <- theta + v; the parameters here are its looked-ahead ones, the
points where gradients are taken. Nesterov's own momentum grows with t towards 1; this one is constant, as in every
deep learning library. The papers give no constants: 0.9 and 0.01 as for momentum.

Implementations disagree only when the rate changes on the way: PyTorch and optax as above; the papers and Keras keep
each gradient at the rate of its own day, `rate_in_buffer=True`.
"""

import optax

from optimizers._base import Optimizer, Scalar
from optimizers._space import log_uniform, one_minus
from optimizers.momentum import momentum as heavy_ball


def nesterov(
    learning_rate: Scalar = 0.01, momentum: Scalar = 0.9, rate_in_buffer: bool = False
) -> optax.GradientTransformation:
    """Steps along the velocity as it will be if the gradient stays; `momentum` in [0, 1)."""
    return heavy_ball(learning_rate, momentum, nesterov=True, rate_in_buffer=rate_in_buffer)


optimizer = Optimizer(
    make=nesterov,
    space={"learning_rate": log_uniform(3e-4, 5.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    paper="Sutskever, Martens, Dahl & Hinton, 2013, ICML, equations (3) and (4), after Nesterov, 1983",
    flat=True,
)
