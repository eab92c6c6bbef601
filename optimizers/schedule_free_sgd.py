"""Schedule-Free SGD: SGD whose average takes the place of a schedule.

Defazio et al., 2024, arXiv:2405.15682, equations (3) to (5).

    z <- z - lr g,  g the gradient at y
    x <- (1 - c) x + c z,   c = w / sum of w so far,   w = (largest rate so far)^weight_lr_power
    y <- (1 - beta) z + beta x

y is trained and x evaluated, see wrappers/schedule_free.py.
"""

from optimizers._space import log_uniform, one_minus
from optimizers.sgd import optimizer as sgd
from optimizers.wrappers.schedule_free import wrapper as schedule_free

optimizer = schedule_free(
    sgd,
    learning_rate=1.0,
    space={"learning_rate": log_uniform(1e-2, 30.0), "beta": one_minus(log_uniform(0.01, 0.5))},
    paper="Defazio et al., 2024, arXiv:2405.15682, equations (3) to (5)",
)
