"""SWA: momentum, evaluated at the plain mean of its parameters.

Polyak & Juditsky, 1992, doi:10.1137/0330046; Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1 with cycle 1.

    v <- momentum v + g,  theta <- theta - lr v
    average <- average + (theta - average) / n,  n = 1, 2, ... from step burn_in + 1 on

Around any other optimizer: `swa:NAME`; see wrappers/swa.py.
"""

from optimizers.momentum import optimizer as momentum
from optimizers.wrappers.swa import wrapper as swa

optimizer = swa(
    momentum, paper="Polyak & Juditsky, 1992, doi:10.1137/0330046; Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1"
)
