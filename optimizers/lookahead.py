"""Lookahead around Adam: slow weights that follow Adam's every five steps.

Zhang, Lucas, Hinton & Ba, 2019, arXiv:1907.08610, Algorithm 1; their experiments have Adam inside as here, or SGD.

    theta <- theta - lr m^ / (sqrt(v^) + eps),  m^ and v^ as in adam.py
    every sync_period steps: slow <- slow + slow_step_size (theta - slow),  theta <- slow

Around any other optimizer: `lookahead:NAME`. Evaluated are the slow weights, see wrappers/lookahead.py.
"""

from optimizers.adam import optimizer as adam
from optimizers.wrappers.lookahead import wrapper as lookahead

optimizer = lookahead(adam, paper="Zhang, Lucas, Hinton & Ba, 2019, arXiv:1907.08610, Algorithm 1")
