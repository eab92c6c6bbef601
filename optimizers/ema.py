"""EMA: Adam, evaluated at an exponential moving average of its parameters.

Polyak & Juditsky, 1992, doi:10.1137/0330046, with exponential weights as in Morales-Brotons et al., 2024,
arXiv:2411.18704; Adam's own paper has it in section 7.2.

    theta <- theta - lr m^ / (sqrt(v^) + eps),  m^ and v^ as in adam.py
    average <- theta after the first step, then ema_decay average + (1 - ema_decay) theta

Around any other optimizer: `ema:NAME`; see wrappers/ema.py for `debias`.
"""

from optimizers.adam import optimizer as adam
from optimizers.wrappers.ema import wrapper as ema

optimizer = ema(adam, paper="Polyak & Juditsky, 1992, doi:10.1137/0330046; Kingma & Ba, 2015, section 7.2")
