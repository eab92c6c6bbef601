"""Whether the tests would notice a mistake in an update rule: small changes to each, one at a time.

    python -m tests.mutants [FILE ...] [--jobs N] [--resume]

Every change to an optimizer's file, a wrapper's or a numerical helper must make something fail: its oracle and golden
files, what every optimizer must hold, or the tests that mention it. A change that nothing notices is a survivor. Those
that no test should notice are listed in tests/survivors.py with the reason; the exit status is 0 if they are all.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NamedTuple

from tests.mutating import Key, Mutant, mutants
from tests.survivors import SURVIVORS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "optimizers"
RESULTS = ROOT / ".cache" / "mutants.jsonl"
HELPERS = ["real", "scalar", "global_norm", "norm", "rms", "inner_product", "average", "correction"]
MOST = 4  # catalogue entries that such a helper is tried with
# What every rule goes through: one that takes gradients alone, with parameters, with all that is given, with the loss.
FRAME = dict.fromkeys(("in_float32", "_widened", "_cast"), ("adam", "fromage", "adamw", "sam"))
# Compiling is most of the work, and what is compiled runs for milliseconds.
ENVIRONMENT = {"XLA_FLAGS": "--xla_backend_optimization_level=0", "JAX_PLATFORMS": "cpu"}
SLOWEST = 4.0  # times as long as the unchanged file: a change that takes longer hangs
HEADROOM = 120.0  # seconds beyond that, for the tests that mention it and the machine's other work
DIED = "its process died"
HANGS = "it does not end"


@dataclass(frozen=True)
class Target:
    """A file to change.

    Attributes:
      file: relative to the checkout.
      module: its dotted name.
      entries: the catalogue's entries that tell whether it is right.
      words: what the tests that are about it mention.
      functions: those that are changed, None for all.
    """

    file: str
    module: str
    entries: tuple[str, ...]
    words: frozenset[str]
    functions: frozenset[str] | None = None

    def mutants(self) -> list[Mutant]:
        if not self.entries:
            return []
        return list(mutants(self.file, (ROOT / self.file).read_text(), self.functions))


def properties(chosen: list[Target]) -> Target:
    """What stands for the tests that mention the files, which all must pass before one that fails means anything."""
    return Target("tests", "", (), frozenset().union(*(target.words for target in chosen)))


class Outcome(NamedTuple):
    """What became of a mutant: what killed it, nothing for a survivor."""

    key: Key
    killer: str
    seconds: float
    digest: str


def targets() -> list[Target]:
    """Every file of the catalogue and the wrappers, and the helpers one by one."""
    entries = {path.stem: path.read_text() for path in sorted(FOLDER.glob("[a-z]*.py"))}

    def using(pattern: str) -> tuple[str, ...]:
        return tuple(name for name, text in entries.items() if re.search(pattern, text))

    found = [_target(f"{name}.py", (name,), name) for name in entries]
    found += [
        _target(f"wrappers/{path.name}", using(rf"wrappers\.{path.stem} import"), path.stem)
        for path in sorted(FOLDER.glob("wrappers/[a-z]*.py"))
    ]
    found.append(_target("_tensor.py", using("_tensor import")))
    tried = FRAME | {
        name: users[:: -(-len(users) // MOST)] for name in HELPERS if (users := using(rf"import .*\b{name}\b"))
    }
    found += [_target("_base.py", names, name, functions=frozenset([name])) for name, names in tried.items()]
    return found


def _target(file: str, entries: tuple[str, ...], *words: str, functions: frozenset[str] | None = None) -> Target:
    module = "optimizers." + file.removesuffix(".py").replace("/", ".")
    return Target(f"optimizers/{file}", module, entries, frozenset([*entries, *words]), functions)


class Child:
    """A process that tries mutants, started anew if one hangs it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    def verdict(self, target: Target, source: str | None, seconds: float | None) -> str:
        """What kills the target's module with this source; nothing if it passes all, or is left as it is."""
        if self._process is None or not self._process.is_alive():
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        try:
            self._pipe.send((target, source))
            if self._pipe.poll(seconds):
                return str(self._pipe.recv())
            ended = HANGS
        except (EOFError, ConnectionError):
            ended = DIED
        self.stop()
        return ended

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def serve(pipe: Connection) -> None:
    """Answers (target, source) with what kills it, until the other side goes away."""
    from tests import killing  # JAX reads the environment when it is first imported

    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(killing.killer(*pipe.recv()))


def stopped(*_: object) -> None:
    """Ends all processes at once, so that none takes another's end for a verdict."""
    for process in multiprocessing.active_children():
        process.kill()
    os._exit(1)


def digest(mutant: Mutant) -> str:
    return hashlib.sha256(mutant.source.encode()).hexdigest()[:16]


def known() -> dict[tuple[Key, str], Outcome]:
    """The mutants that were killed before, which more tests do not bring back, and those that survived by right."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    before = (Outcome(Key(*key), *rest) for key, *rest in map(json.loads, lines))
    return {(outcome.key, outcome.digest): outcome for outcome in before if outcome.killer or outcome.key in SURVIVORS}


def run(chosen: list[Target], jobs: int, resume: bool) -> tuple[list[Outcome], list[str]]:
    """Every mutant's outcome, and the files that fail as they are, which tell nothing."""
    before = known() if resume else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("".join(json.dumps(outcome) + "\n" for outcome in before.values()))
    queue: Queue[Target] = Queue()
    queue.put(properties(chosen))
    # The longest files last no longer than the rest if they begin first.
    for target in sorted(chosen, key=lambda target: -len(target.mutants())):
        queue.put(target)
    outcomes: list[Outcome] = []
    broken: list[str] = []
    lock = threading.Lock()

    def work() -> None:
        child = Child()
        while True:
            try:
                target = queue.get_nowait()
            except Empty:
                return child.stop()
            for outcome in _outcomes(child, target, before):
                with lock:
                    if isinstance(outcome, str):
                        broken.append(outcome)
                        print(outcome, flush=True)
                        continue
                    outcomes.append(outcome)
                    if (outcome.key, outcome.digest) not in before:
                        RESULTS.open("a").write(json.dumps(outcome) + "\n")
                        print(
                            f"{outcome.seconds:6.1f} s  {said(outcome.key)}: {outcome.killer or 'SURVIVES'}", flush=True
                        )

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes, broken


def _outcomes(child: Child, target: Target, before: dict[tuple[Key, str], Outcome]) -> Iterator[Outcome | str]:
    every = target.mutants()
    yield from (before[m.key, digest(m)] for m in every if (m.key, digest(m)) in before)
    fresh = [mutant for mutant in every if (mutant.key, digest(mutant)) not in before]
    if target.entries and not fresh:
        return
    began = time.monotonic()
    if killer := child.verdict(target, None, None):
        yield f"{target.file} fails as it is: {killer}"
        return
    limit = HEADROOM + SLOWEST * (time.monotonic() - began)
    for mutant in fresh:
        began = time.monotonic()
        killer = child.verdict(target, mutant.source, limit)
        if killer in (DIED, HANGS):  # by the change, or for want of memory or because all was paused
            killer = child.verdict(target, mutant.source, limit)
        yield Outcome(mutant.key, killer, round(time.monotonic() - began, 2), digest(mutant))


def said(key: Key) -> str:
    again = f" (occurrence {key.occurrence})" if key.occurrence else ""
    return f"{key.file}: {key.old}  ->  {key.new}{again}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as optimizers/adam.py; all if none is given")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what was killed before, or survived and is listed"
    )
    options = parser.parse_args(arguments)
    files = {str(Path(file).resolve().relative_to(ROOT)) for file in options.files}
    chosen = [target for target in targets() if not files or target.file in files]
    if missing := files - {target.file for target in chosen}:
        parser.error(f"nothing to change in {', '.join(sorted(missing))}")
    os.environ.update(ENVIRONMENT)
    signal.signal(signal.SIGTERM, stopped)
    began = time.monotonic()
    outcomes, broken = run(chosen, options.jobs, options.resume)
    survivors = {outcome.key for outcome in outcomes if not outcome.killer}
    listed = {key for key in SURVIVORS if key.file in {target.file for target in chosen}}
    for key in sorted(survivors - listed):
        print(f"survives, and is not listed: {said(key)}")
    for key in sorted(listed - survivors):
        print(f"listed, but does not survive: {said(key)}")
    reasons = Counter(SURVIVORS[key] for key in survivors & listed)
    for reason, count in reasons.most_common():
        print(f"{count:4} survive by right: {reason}")
    print(*broken, sep="\n", end="\n" if broken else "")
    minutes = (time.monotonic() - began) / 60
    print(
        f"{len(outcomes)} mutants, {len(outcomes) - len(survivors)} killed, {len(survivors)} survive; {minutes:.0f} min"
    )
    return int(bool(broken) or survivors != listed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
