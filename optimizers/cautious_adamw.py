"""C-AdamW: AdamW that takes no step where Adam goes against the gradient.

Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 1.

    u = m^ / (sqrt(v^) + eps),  as in adam.py;   mask = [u g > 0]
    theta <- theta - lr rescale(mask) mask u - lr weight_decay theta

The mask does not touch the decay. On `mask_scale` and `decay_form` see the two wrappers.
"""

from optimizers._space import log_uniform
from optimizers.adam import optimizer as adam
from optimizers.wrappers.cautious import wrapper as cautious
from optimizers.wrappers.decoupled_decay import wrapper as decoupled_decay

optimizer = decoupled_decay(
    cautious(adam),
    space={"learning_rate": log_uniform(1e-4, 0.3), "weight_decay": log_uniform(1e-4, 1.0)},
    paper="Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 1",
)
