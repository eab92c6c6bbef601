"""Workers of a Dask cluster, which draw jobs as those of this machine do.

The queue stays here: a job is sent to one slot of one Dask worker, and where that worker is lost the job is drawn
again for another. Workers may come and go. Each is asked for its versions first, and refused by name where they would
give other numbers.
"""

import importlib
import logging
import os
import pickle
import queue
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from bench import fingerprint, luggage, node
from bench.errors import UserError
from bench.grid import Grid
from bench.luggage import Luggage
from bench.node import Greeting, Order
from bench.pool import TICK_S, Draw, Ended, Tag
from bench.worker import Failure

CONNECT_S = 15.0  # for the scheduler to answer
LOOK_S = 1.0  # seconds between looks at which workers there are
GRACE_S = 60.0  # beyond a job's time, after which the slot itself has hung
ALONE_S = 20.0  # with no worker but refused ones, after which to give up, and with none at all, to say so
STRIKES = 2  # jobs in a row that a worker cannot do, for which it is refused
CLOSE_S = 10.0  # for the workers to end what was started on them
SETTINGS = (*fingerprint.SETTINGS, "JAX_PLATFORMS", "XLA_FLAGS", "OPTGRID_LANES")  # that travel, where they are set
EXTRA = "install the extra `dask`: make setup EXTRAS=dask, or pip install 'optgrid[dask]'"


@dataclass(frozen=True)
class Spec:
    """A cluster to start.

    Attributes:
      kind: import path of a Dask cluster's class, such as dask_jobqueue.SLURMCluster.
      options: what it is made with.
      workers: how many to ask for.
    """

    kind: str
    options: Mapping[str, Any]
    workers: int


def described(file: Path) -> Spec:
    """The cluster that a YAML file describes: `cluster`, `workers` and `options`.

    Raises:
      UserError: it does not.
    """
    try:
        import yaml
    except ImportError as error:
        raise UserError(f"--cluster needs Dask; {EXTRA}") from error
    try:
        told = yaml.safe_load(file.read_text())
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    known = {"cluster": str, "workers": int, "options": dict}
    if not isinstance(told, dict) or "cluster" not in told:
        raise UserError(f"{file} must say `cluster:`, such as dask_jobqueue.SLURMCluster, `workers:` and `options:`")
    for name, value in told.items():
        if name not in known:
            raise UserError(f"{file}: there is no {name!r}; there are {', '.join(known)}")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise UserError(f"{file}: {name} must be of type {known[name].__name__}, not {value!r}")
    if told.get("workers", 1) < 1:
        raise UserError(f"{file}: workers must be at least 1, not {told['workers']}")
    return Spec(told["cluster"], told.get("options", {}), told.get("workers", 1))


@contextmanager
def gather(
    where: str | Spec, grid: Grid, most: int, *, workers: int | None, memory: int | None, tell: Callable[[str], None]
) -> Iterator["Cluster"]:
    """A cluster's workers for a grid, at most `most` and `workers` of them. On the way out a cluster that was started
    for it is ended, and any other left as it was.

    Args:
      where: address of a scheduler, or the cluster to start.
      memory: bytes for each slot; what the Dask worker gives it if not given.
      tell: told what a user should know of the workers.

    Raises:
      UserError: Dask is not installed, there is no scheduler, or the cluster cannot be started.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(f"a cluster needs Dask; {EXTRA}") from error
    pack = luggage.pack(grid)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a scheduler that is lost is said here
    with ExitStack() as ends:
        started: Any = _started(where, workers, ends) if isinstance(where, Spec) else None
        address = where if isinstance(where, str) else started.scheduler_address
        try:
            client = Client(address, timeout=CONNECT_S, set_as_default=False, name="optgrid")
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            raise UserError(
                f"no Dask scheduler answers at {address}: {' '.join(str(error).split()) or type(error).__name__}"
            ) from error
        ends.callback(_quietly, lambda: client.close(timeout=5))
        team = Cluster(client, pack, min(most, workers or most), memory, tell)
        ends.callback(_quietly, team.close)
        yield team


def _quietly(end: Callable[[], object]) -> None:
    """Ends something that may be gone already, whatever it raises then."""
    with suppress(Exception):
        end()


def _started(spec: Spec, workers: int | None, ends: ExitStack) -> Any:
    """The running Dask cluster of a spec, which `ends` will end."""
    module, _, name = spec.kind.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"there is no cluster {spec.kind} to import ({error}); {EXTRA}") from error
    try:
        cluster = kind(**spec.options)
        ends.callback(_quietly, lambda: cluster.close(timeout=30))
        cluster.scale(workers or spec.workers)
    except Exception as error:  # its constructor may raise anything
        raise UserError(f"{spec.kind} could not be started: {type(error).__name__}: {error}") from error
    return cluster


@dataclass(frozen=True)
class _Slot:
    address: str
    index: int
    memory: int


@dataclass
class _Sent(Generic[Tag]):
    """A job on its way."""

    tag: Tag
    slot: _Slot
    future: Any
    allowed: float
    since: float = field(default_factory=time.monotonic)


class Cluster:
    """A team of slots on the workers of a Dask scheduler; see `bench.pool.Team`."""

    def __init__(self, client: Any, pack: Luggage, most: int, memory: int | None, tell: Callable[[str], None]) -> None:
        self._client, self._pack, self._most, self._memory, self._tell = client, pack, most, memory, tell
        self._here = Greeting("", fingerprint.versions(), luggage.digests(), 0)
        self._slots: dict[int, _Slot] = {}
        self._made = 0
        self._names: dict[str, str] = {}  # of workers, by address
        self._refused: dict[str, str] = {}
        self._usable: dict[str, int] = {}  # bytes of memory for a slot, by address of those who have greeted
        self._strikes: Counter[str] = Counter()  # jobs in a row that a worker could not do, by address
        self._greetings: dict[str, Any] = {}
        self._threads: dict[str, int] = {}  # of workers, by address
        self._files: dict[str, Any] = {}  # futures of the luggage, by name
        self._supplied: set[str] = set()  # addresses that have it
        self._looked = 0.0
        self._alone = self._without = time.monotonic()
        self._said = False
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}

    @property
    def numbers(self) -> Collection[int]:
        """The slots that there are now."""
        return self._slots.keys()

    @property
    def at_once(self) -> int:
        """All of them."""
        return len(self._slots)

    def place(self, file: Path) -> Path:
        """Where a file is in the luggage."""
        return self._pack.place(file)

    def run(
        self, draw: Draw[Tag], timeout: Callable[[Tag], float], more: Callable[[], bool] = lambda: False
    ) -> Iterator[Ended[Tag] | None]:
        """As a `Team` does. A job whose worker is lost ends as a Failure that says so.

        Raises:
          UserError: the scheduler is lost, or refuses all workers there are.
        """
        sent: dict[int, _Sent[Tag]] = {}
        try:
            while True:
                self._look()
                for number in [n for n in self._slots if n not in sent]:
                    if (drawn := draw(number)) is not None:
                        try:
                            sent[number] = self._send(number, drawn[1], drawn[0], timeout(drawn[0]))
                        except (OSError, TimeoutError) as error:  # it, or the scheduler, has just gone
                            yield Ended(drawn[0], self._struck(self._slots[number].address, error), 0.0)
                if not sent and not more():
                    return
                with suppress(queue.Empty):
                    self._answers.get(timeout=TICK_S)
                for number, job in list(sent.items()):
                    outcome = self._outcome(number, job)
                    if outcome is not None:
                        del sent[number]
                        yield Ended(job.tag, outcome, time.monotonic() - job.since)
                yield None
        finally:
            for job in sent.values():
                with suppress(Exception):
                    job.future.cancel()

    def close(self) -> None:
        """Ends the processes that were started for this luggage."""
        addresses = sorted({slot.address for slot in self._slots.values()})
        if addresses:
            asked = {"workers": addresses, "on_error": "ignore", "callback_timeout": CLOSE_S}  # one may hang
            self._client.sync(self._client._run, node.close, self._pack.digest, **asked)

    def _outcome(self, number: int, job: _Sent[Any]) -> Any:
        """What came of a job, or None while nothing has."""
        who = self._names.get(job.slot.address, job.slot.address)
        if number not in self._slots:
            job.future.cancel()
            return Failure(f"the worker {who} was lost", repeats=False, lost=True)
        if job.future.done():
            try:
                outcome = pickle.loads(job.future.result(timeout=CONNECT_S))
            except Exception as error:  # of the machine or of Dask; the unit's own come as a Failure
                return self._struck(job.slot.address, error)
            self._strikes.pop(job.slot.address, None)
            return outcome
        if time.monotonic() - job.since > job.allowed + GRACE_S:
            job.future.cancel()
            self._refuse(job.slot.address, f"it gave no answer in {job.allowed + GRACE_S:g} s")  # it may be at anything
            return Failure(f"stopped after {job.allowed:g} s; --timeout allows more")
        return None

    def _struck(self, address: str, error: Exception) -> Failure:
        """What comes of a job that a worker could not do. One that cannot write, or fails again, is used no more: being
        idle at once, it would draw all there is."""
        who = self._names.get(address, address)
        reason = f"the worker {who} could not do it: {type(error).__name__}: {error}".splitlines()[0][:300]
        self._supplied.discard(address)
        self._strikes[address] += 1
        unfit = isinstance(error, UserError) or self._strikes[address] >= STRIKES
        if unfit and address in self._names:
            self._refuse(address, f"it cannot do a unit ({type(error).__name__}: {error})".splitlines()[0][:300])
        return Failure(reason, repeats=False, lost=True, unfit=unfit)

    def _send(self, number: int, job: Any, tag: Any, allowed: float) -> _Sent[Any]:
        slot = self._slots[number]
        order = Order(self._pack.digest, slot.index, pickle.dumps(job), allowed, slot.memory, self._settings)
        files = {} if slot.address in self._supplied else {name: self._there(name) for name in self._pack.files}
        self._supplied.add(slot.address)
        future = self._submit(node.work, order, files, slot.address)
        return _Sent(tag, slot, future, allowed)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A call on the worker whose address is the last argument, and nowhere else."""
        future = self._client.submit(
            function,
            *arguments[:-1],
            workers=[arguments[-1]],
            allow_other_workers=False,
            key=f"optgrid-{function.__name__}-{secrets.token_hex(8)}",
            pure=False,
            retries=0,
        )
        future.add_done_callback(self._answers.put)
        return future

    def _there(self, name: str) -> Any:
        """A file of the luggage on the cluster, where workers take it from each other."""
        if name not in self._files or self._files[name].status != "finished":
            self._files[name] = self._client.scatter(self._pack.files[name](), hash=False)
        return self._files[name]

    def _look(self) -> None:
        """Notices workers that have come, greeted back or gone.

        Raises:
          UserError: the scheduler is lost, or all workers there are were refused.
        """
        for address, future in list(self._greetings.items()):
            if future.done():
                del self._greetings[address]
                self._welcome(address, future)
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if self._client.status != "running":
            raise UserError("the Dask scheduler is lost; what was finished is kept, and the same command goes on")
        try:
            there = self._client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, TimeoutError):  # it is told of at the next look, unless it is back by then
            return
        for number in [n for n, slot in self._slots.items() if slot.address not in there]:
            del self._slots[number]
        for address in self._names.keys() - there.keys():
            for known in (self._names, self._threads, self._refused, self._greetings, self._usable, self._strikes):
                known.pop(address, None)
            self._supplied.discard(address)
        for address, told in there.items():
            if address not in self._names:
                self._names[address] = f"{told.get('name') or address} ({address})"
                self._threads[address] = int(told["nthreads"])
                self._greetings[address] = self._submit(node.greet, address)
        self._fill()
        if self._slots:
            self._without, self._said = now, False
        elif not self._said and now - self._without > ALONE_S:
            self._said = True
            self._tell("waiting for workers of the cluster, of which there are none now; Ctrl-C ends this command")
        if self._slots or self._greetings or not self._refused:
            self._alone = now
        if now - self._alone > ALONE_S:
            raise UserError(f"no worker of the cluster can be used: {'; '.join(self._refused.values())}")

    def _welcome(self, address: str, greeting: Any) -> None:
        """Makes slots of a worker that has greeted, or refuses it."""
        try:
            told: Greeting = greeting.result(timeout=CONNECT_S)
        except Exception as error:  # the project may not be there, or of a version that cannot greet
            self._refuse(
                address, f"it has no optgrid that works ({type(error).__name__}: {error})".splitlines()[0][:300]
            )
            return
        if differs := _differences(self._here, told):
            self._refuse(address, differs)
            return
        self._usable[address] = told.memory
        self._fill()

    def _fill(self) -> None:
        """Makes slots as far as there are threads for them and they are wanted; one that was lost leaves its place."""
        taken = {(slot.address, slot.index) for slot in self._slots.values()}
        for address, memory in self._usable.items():
            for index in range(self._threads[address]):
                if len(self._slots) < self._most and (address, index) not in taken:
                    self._slots[self._made] = _Slot(address, index, self._memory or memory)
                    self._made += 1

    def _refuse(self, address: str, why: str) -> None:
        """Uses a worker no more, and says why."""
        self._usable.pop(address, None)
        for number in [n for n, slot in self._slots.items() if slot.address == address]:
            del self._slots[number]
        self._refused[address] = f"{self._names[address]}: {why}"
        self._tell(f"refused the worker {self._refused[address]}")


def _differences(here: Greeting, there: Greeting) -> str:
    """What would make numbers of another machine differ from ours; empty if nothing would. Files that only one of them
    has do not count: ours travel, and theirs are not used."""
    versions = [
        f"{name} {there.versions.get(name, 'missing')} there, {version} here"
        for name, version in here.versions.items()
        if there.versions.get(name) != version
    ]
    changed = sorted(name for name, code in here.code.items() if there.code.get(name, code) != code)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        versions.append(f"another version of optgrid there ({changed[0]}{more} differ{'s' if not more else ''})")
    return ", ".join(versions)
