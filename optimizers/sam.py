"""SAM around momentum: the step for the gradient that is found a little uphill.

Foret, Kleiner, Mobahi & Neyshabur, 2021, arXiv:2010.01412, Algorithm 1.

    g' = gradient of the same batch at theta + rho g / ||g||
    v <- momentum v + g'
    theta <- theta - lr v

Around any other optimizer: `sam:NAME`. A step costs two gradients, see wrappers/sam.py.
"""

from optimizers.momentum import optimizer as momentum
from optimizers.wrappers.sam import wrapper as sam

optimizer = sam(momentum, paper="Foret, Kleiner, Mobahi & Neyshabur, 2021, arXiv:2010.01412, Algorithm 1")
