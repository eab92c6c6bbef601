"""Ranger: Lookahead around RAdam.

Wright, 2019, github.com/lessw2020/Ranger-Deep-Learning-Optimizer: Zhang et al., 2019, arXiv:1907.08610, Algorithm 1,
around Liu et al., 2020, arXiv:1908.03265, Algorithm 2.

    theta <- theta + RAdam's step, as in radam.py
    every sync_period steps: slow <- slow + slow_step_size (theta - slow),  theta <- slow

Later versions of Ranger centralise the gradients too; the first, as here, does not.
"""

from optimizers.radam import optimizer as radam
from optimizers.wrappers.lookahead import wrapper as lookahead

optimizer = lookahead(
    radam,
    sync_period=6,
    paper="Wright, 2019: Zhang et al., 2019, arXiv:1907.08610 around Liu et al., 2020, arXiv:1908.03265",
)
