"""AdamW: Adam with weight decay beside the gradient, not in it.

Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2.

    theta <- theta - lr (m^ / (sqrt(v^) + eps) + weight_decay theta),  m^ and v^ as in adam.py

Where implementations disagree: on the decay see wrappers/decoupled_decay.py; `eps_hat=True` is Keras' place for
epsilon, see adam.py.
"""

from optimizers._space import log_uniform
from optimizers.adam import optimizer as adam
from optimizers.wrappers.decoupled_decay import wrapper as decoupled_decay

optimizer = decoupled_decay(
    adam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "weight_decay": log_uniform(1e-4, 1.0)},
    paper="Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2",
)
