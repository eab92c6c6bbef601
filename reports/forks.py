"""Work on all cores by processes forked from this one, which have the results and the packages already; where threads
forbid it, by processes that are started anew and given them, which takes seconds."""

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


def spread(function: Callable[[T], U], items: Sequence[T], long: bool = False) -> list[U]:
    """The function's values in order.

    Args:
      long: whether it takes so long that processes are worth starting where forking cannot be done.
    """
    threaded = threading.active_count() > 1 or "jax" in sys.modules  # JAX's threads are not Python's
    workers = min(len(cores()), len(items))
    forks = not threaded and "fork" in multiprocessing.get_all_start_methods()
    if workers < 2 or not (forks or long):
        return [function(item) for item in items]
    if not forks:
        started = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, started, initializer=_given, initargs=(function, items)) as pool:
            return list(pool.map(_done, range(len(items))))
    _work.append((function, items))
    try:
        forked = multiprocessing.get_context("fork")
        # Each with one thread for NumPy's products: as many as there are cores would get into each other's way.
        with ProcessPoolExecutor(workers, forked, initializer=threadpool_limits, initargs=(1,)) as pool:
            return list(pool.map(_done, range(len(items))))
    finally:
        _work.pop()


def _given(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    _work.append((function, items))
    threadpool_limits(1)


def _done(index: int) -> Any:
    function, items = _work[-1]
    return function(items[index])
