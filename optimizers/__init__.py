"""The catalogue of optimizers: one file each, and the folder listing is the registry.

    import optimizers
    optimizers.names()                    # ['adagrad', 'adam', ...]
    adam = optimizers.get("adam")         # or "adam(b2=0.99)", "optax:lion", "pkg.mod:attr", "path/to/file.py"
    tx = adam.make(learning_rate=1e-3)    # an optax GradientTransformationExtraArgs

This package knows JAX and optax and nothing of the benchmark. Listing names imports neither, so a command line
can check its arguments before it pays for them.
"""

from typing import TYPE_CHECKING

from optimizers._names import OptimizerError, layers, names, parse, source_file, source_files, wrapper_names

if TYPE_CHECKING:
    from optimizers._base import Optimizer, get

__all__ = [
    "Optimizer",
    "OptimizerError",
    "get",
    "layers",
    "names",
    "parse",
    "source_file",
    "source_files",
    "wrapper_names",
]


def __getattr__(name: str) -> object:
    if name in ("Optimizer", "get"):
        from optimizers import _base

        return getattr(_base, name)
    raise AttributeError(f"module 'optimizers' has no attribute {name!r}")
