"""Whose code a spec names: this project's, or somebody's; no JAX here."""

from optimizers._names import layers, parse


def is_listed(spec: str) -> bool:
    """Whether a spec is of the catalogue, wrapped or not, and so no code but this project's.

    Raises:
      OptimizerError: the spec cannot be read.
    """
    core = parse(layers(spec)[1])
    return core.attr is None and not core.is_path
