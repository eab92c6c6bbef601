"""C-Lion: Lion that takes no step where it goes against the gradient.

Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 2.

    u = sign(b1 m + (1 - b1) g),   mask = [u g > 0]
    theta <- theta - lr size / (sum of mask + 1) mask u
    m <- b2 m + (1 - b2) g

The scale is that of the authors' code; `mask_scale="mean"` is timm's, see wrappers/cautious.py.
"""

from optimizers.lion import optimizer as lion
from optimizers.wrappers.cautious import wrapper as cautious

optimizer = cautious(lion, mask_scale="count", paper="Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 2")
