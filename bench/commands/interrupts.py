"""Ctrl-C while work is being done: once to finish what is at hand, twice to stop at once."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Counts the user's signals between `watch` and `rest`; the second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, object] = {}

    def watch(self, tell: Callable[[], None]) -> None:
        """From now on the first signal only is noted, and told; elsewhere than in the main thread nothing changes."""
        self.asked = False
        if threading.current_thread() is not threading.main_thread() or self._before:
            return

        def noted(number: int, frame: FrameType | None) -> None:
            del number, frame
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True
            tell()

        self._before = {number: signal.signal(number, noted) for number in SIGNALS}

    def rest(self) -> None:
        """Signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        self._before = {}
