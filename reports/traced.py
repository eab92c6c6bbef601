"""What a report shows of a run's diagnostics: which, in which words, and as plain values for the page. Light."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.results import Results
from bench.stats import Array
from bench.traces import Diagnostics, Landscape, Trace

GRADIENT_DESCENT = "sgd"  # on all rows of a task: the only rule here whose edge of stability is 2 / rate


class Quantity(NamedTuple):
    """What is drawn along runs: its key on the page, its words, and whether on a logarithmic axis."""

    key: str
    words: str
    log: bool


QUANTITIES = (
    Quantity("sharpness", "sharpness", True),
    Quantity("gradient", "gradient norm", True),
    Quantity("ratio", "update / weights", True),
    Quantity("alignment", "alignment", False),
    Quantity("distance", "distance", False),
    Quantity("path", "path length", False),
)


def along(trace: Trace, key: str) -> tuple[Array, Array]:
    """(gradient evaluations, values) of a quantity; a logarithmic one without what has no place there."""
    if key == "sharpness":
        x, values = trace.arrays["sharp/evaluations"], trace.arrays["sharp/top"]
    else:
        x, values = trace.arrays["evaluations"], trace.arrays[key]
    log = any(quantity.log for quantity in QUANTITIES if quantity.key == key)
    return x, np.where(np.isfinite(values) & ((values > 0) | (not log)), values, np.nan)


def edge(trace: Trace) -> float | None:
    """The sharpness above which gradient descent is unstable, 2 / rate; None of what is no gradient descent.

    That is: of another rule, of batches, or of a rate that changes along the run.
    """
    rate = trace.meta["hparams"].get("learning_rate")
    plain = trace.meta["optimizer"] == GRADIENT_DESCENT and trace.meta["schedule"] == "constant"
    return 2 / rate if plain and trace.meta["full_batch"] and rate else None


def payload(results: Results, found: Diagnostics) -> list[dict[str, Any]]:
    """By task, in the order of the results: traces by optimizer, None where there is none, and the landscape."""
    return [
        {
            "traces": [_trace(found.traces.get((task, name))) for name in results.optimizers],
            "landscape": _landscape(found.landscapes.get(task), results.optimizers),
        }
        for task in results.tasks
    ]


def _trace(trace: Trace | None) -> Mapping[str, Any] | None:
    if trace is None:
        return None
    sharp, _ = along(trace, "sharpness")
    return {
        "x": trace.arrays["evaluations"],
        "sharp_x": sharp,
        **{quantity.key: along(trace, quantity.key)[1] for quantity in QUANTITIES},
        "edge": edge(trace),
        "layers": list(trace.meta["layers"]),
        "layer_ratios": np.where(trace.arrays["layers"] > 0, trace.arrays["layers"], np.nan).T,
    }


def _landscape(around: Landscape | None, optimizers: Sequence[str]) -> Mapping[str, Any] | None:
    if around is None:
        return None
    return {
        "optimizers": [optimizers.index(name) for name in around.meta["optimizers"]],
        **{name.replace("/", "_"): values for name, values in around.arrays.items()},
    }
