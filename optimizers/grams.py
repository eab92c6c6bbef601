"""Grams: the gradient's signs with Adam's lengths.

Cao, Li, Liang & Song, 2024, arXiv:2412.17107, Algorithm 1.

    theta <- theta - lr sign(g) |m^| / (sqrt(v^) + eps),  m^ and v^ as in adam.py

Around any other optimizer: `grams:NAME`.
"""

from optimizers.adam import optimizer as adam
from optimizers.wrappers.grams import wrapper as grams

optimizer = grams(adam, paper="Cao, Li, Liang & Song, 2024, arXiv:2412.17107, Algorithm 1")
