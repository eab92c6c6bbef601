"""Work on all cores by processes forked from this one, which have the results and the packages already."""

import multiprocessing
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from bench.machine import cores

T = TypeVar("T")
U = TypeVar("U")

_work: list[tuple[Callable[[Any], Any], Sequence[Any]]] = []  # what forked processes find in their copy of the memory


def spread(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """The function's values in order; one after another where forking cannot be done, or threads forbid it."""
    threaded = threading.active_count() > 1 or "jax" in sys.modules  # JAX's threads are not Python's
    workers = min(len(cores()), len(items))
    if threaded or workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [function(item) for item in items]
    _work.append((function, items))
    try:
        forked = multiprocessing.get_context("fork")
        # Each with one thread for NumPy's products: as many as there are cores would get into each other's way.
        with ProcessPoolExecutor(workers, forked, initializer=threadpool_limits, initargs=(1,)) as pool:
            return list(pool.map(_done, range(len(items))))
    finally:
        _work.pop()


def _done(index: int) -> Any:
    function, items = _work[-1]
    return function(items[index])
