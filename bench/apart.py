"""Checking somebody's optimizer in a process of its own, as its code may do anything: a verdict comes in any case.

The process has a time limit, its own session, no input, and bounded memory and output; nothing of it is left over.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import optimizers
from bench.apart_child import CLOSED, IMPORTS, LONGEST
from bench.errors import UserError
from bench.findings import Finding
from bench.machine import Slot
from bench.worker import environment
from optimizers import OptimizerError
from optimizers._own import is_listed

TIMEOUT = 60.0  # seconds of the user's code
START = 120.0  # seconds until it begins
KEPT = 1000  # bytes of its output, from the end
SHOWN = 5  # lines of it
CHILD = "import json, sys; job = json.loads(sys.argv[1]); sys.path[:] = job['path']; "
CHILD += "from bench.apart_child import main; main(job)"


@dataclass(frozen=True)
class Checked:
    """What the checks of one optimizer came to.

    Attributes:
      spec: what was checked, as the user wrote it.
      findings: one a check, in order.
      guessed: the search space that was guessed for a bare function, a line each.
      printed: bytes that its code printed.
      last: the last lines of them.
    """

    spec: str
    findings: tuple[Finding, ...]
    guessed: tuple[str, ...] = ()
    printed: int = 0
    last: tuple[str, ...] = ()

    @property
    def broken(self) -> list[Finding]:
        """The checks that do not hold."""
        return [finding for finding in self.findings if finding.problem]

    @property
    def verdict(self) -> str:
        """One line: that all checks hold, or how many do not and what the first of them found."""
        asked = sum(finding.reached for finding in self.findings)
        if not self.broken:
            return f"all {asked} checks hold"
        return f"{len(self.broken)} of {asked} checks do not hold; the first: {self.broken[0].problem}"


def check(
    spec: str,
    strict: bool = False,
    timeout: float = TIMEOUT,
    show: Callable[[Finding], None] = lambda finding: None,
) -> Checked:
    """All checks of an optimizer; in a process of its own unless it is of the catalogue.

    Args:
      strict: as in `bench.checks.check`.
      timeout: seconds for a user's code, from its import to the last check.
      show: told each finding as it comes.

    Raises:
      OptimizerError: the spec is wrong; what is wrong with the code itself is a finding.
      UserError: the process could not be started.
    """
    if is_listed(spec):
        return Checked(spec, tuple(_shown(_here(spec, strict), show)))
    refuse(spec)
    with _started(spec, strict, timeout) as watched:
        watched.follow(timeout, show)
    if watched.mistake:
        raise OptimizerError(watched.mistake)
    if not watched.plan:
        why = f"did not begin within {START:g} s; the machine may be too busy"
        if watched.ended:
            why = f"ended before it began: {watched.last[-1] if watched.last else 'it said nothing'}"
        raise UserError(f"checking {spec} {why}")
    return Checked(spec, tuple(watched.findings), watched.guessed, watched.printed, watched.last)


def refuse(spec: str) -> None:
    """Says that a spec is wrong as far as this can be known without running anybody's code.

    Raises:
      OptimizerError: it is.
    """
    if is_listed(spec):
        optimizers.get(spec)
    elif _file(spec) is not None:
        optimizers.source_files(spec)  # of a module this would run its package


def _here(spec: str, strict: bool) -> Iterator[Finding]:
    from bench import checks

    yield from checks.check(optimizers.get(spec), strict)


def _shown(findings: Iterator[Finding], show: Callable[[Finding], None]) -> Iterator[Finding]:
    for finding in findings:
        show(finding)
        yield finding


@contextlib.contextmanager
def _started(spec: str, strict: bool, timeout: float) -> Iterator["_Watched"]:
    """The process at work; on the way out it and all that it started are ended."""
    pipe, theirs = os.pipe()
    trace, their_trace = os.pipe()
    key = secrets.token_hex(8)
    job = {"spec": spec, "strict": strict, "pipe": theirs, "trace": their_trace, "key": key, "path": sys.path}
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps({**job, "seconds": START + timeout + 10})],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs, their_trace),
            start_new_session=True,
            env={**os.environ, **environment(Slot()), "PYTHONUNBUFFERED": "1"},
        )
    except OSError as error:
        os.close(pipe)
        os.close(trace)
        raise UserError(f"no process could be started to check {spec}: {error.strerror}") from error
    finally:
        os.close(theirs)
        os.close(their_trace)
    assert process.stdout is not None
    try:
        yield _Watched(process, pipe, process.stdout.fileno(), trace, key, _file(spec))
    finally:
        _end(process)
        process.stdout.close()
        os.close(pipe)
        os.close(trace)


def _file(spec: str) -> Path | None:
    core = optimizers.parse(optimizers.layers(spec)[1])
    return Path(core.target) if core.is_path else None


@dataclass
class _Watched:
    """A process at work on the checks, and what has come of it."""

    process: subprocess.Popen[bytes]
    pipe: int
    output: int
    trace: int
    key: str
    file: Path | None
    plan: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    guessed: tuple[str, ...] = ()
    mistake: str = ""
    asking: str = IMPORTS
    done: bool = False
    ended: bool = False
    printed: int = 0
    tail: bytes = b""
    waiting: bytes = b""

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines of the output, as they can be shown."""
        return tuple(_plain(line)[:120] for line in self.tail.decode(errors="replace").splitlines()[-SHOWN:])

    def follow(self, timeout: float, show: Callable[[Finding], None]) -> None:
        """Takes what comes until there is nothing more or the time is over; then each check has its finding."""
        deadline = time.monotonic() + START
        began, told = False, 0
        while not self.done:
            self.ended = _has_ended(self.process.pid)
            heard = self._listen()
            if self.plan and not began:
                began, deadline = True, time.monotonic() + timeout
            for finding in self.findings[told:]:
                show(finding)
            told = len(self.findings)
            if self.mistake or self.done:
                break
            if self.ended and not heard:
                self._give(self._death())
                break
            if time.monotonic() > deadline:
                self._give(f"did not end within {timeout:g} s{self._where(ask=True)}; --timeout allows more")
                break
        if self.plan:
            known = {finding.check for finding in self.findings}
            lost = "" if any(finding.problem for finding in self.findings) else "what was found of it got lost"
            self.findings += [Finding(what, lost, reached=bool(lost)) for what in self.plan if what not in known]
        for finding in self.findings[told:]:
            show(finding)

    def _give(self, problem: str) -> None:
        """Makes the check that is asked now a broken one, if no finding has come of it."""
        if self.plan and self.asking not in {finding.check for finding in self.findings}:
            self.findings.append(Finding(self.asking, problem))

    def _listen(self) -> bool:
        """Reads once from the process, waiting a little; whether there was anything."""
        at_hand = wait([self.pipe, self.output], 0.05)
        ready = [fd for fd in (self.pipe, self.output) if fd in at_hand]
        chunks = {fd: os.read(fd, 1 << 16) for fd in ready}
        if content := chunks.get(self.output):
            self.printed += len(content)
            self.tail = (self.tail + content)[-KEPT:]
        *lines, self.waiting = (self.waiting + chunks.get(self.pipe, b"")).split(b"\n")
        self.waiting = self.waiting[-(1 << 16) :]
        for line in lines:
            self._take(line)
        if ready and not any(chunks.values()):
            time.sleep(0.05)  # both ends are closed, so select does not wait
        return any(chunks.values())

    def _take(self, line: bytes) -> None:
        try:
            told: Any = json.loads(line)
        except ValueError:
            return
        if not isinstance(told, dict) or told.get("key") != self.key:
            return
        self.plan = told.get("plan", self.plan)
        self.asking = told.get("asking", self.asking)
        self.guessed = tuple(_plain(words) for words in told.get("guessed", self.guessed))
        self.mistake = _plain(told.get("mistake", self.mistake))
        self.done = self.done or "done" in told
        if "finding" in told:
            what, problem, reached = told["finding"]
            self.findings.append(Finding(what, _plain(problem), reached))

    def _death(self) -> str:
        code = _end(self.process)
        if code == CLOSED:
            return "its code closed files that are not its own"
        if code >= 0:
            return f"its code ended the process (exit status {code})"
        memory = "; too little memory is the usual cause" if -code in (signal.SIGABRT, signal.SIGKILL) else ""
        return f"its process was ended by {signal.Signals(-code).name}{self._where()}{memory}"

    def _where(self, ask: bool = False) -> str:
        """The innermost line of the user's file that the process was in, if it was in one."""
        if ask:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGUSR1)
        frames = b""
        end = time.monotonic() + 1.0
        while time.monotonic() < end and wait([self.trace], 0.2):
            if not (chunk := os.read(self.trace, 1 << 16)):
                break
            frames += chunk
        lines = [line.strip() for line in frames.decode(errors="replace").splitlines()]
        if self.file is None or not lines:
            return ""
        for line in lines:
            path, _, rest = line.removeprefix('File "').partition('", line ')
            if rest and Path(path).name == self.file.name:
                return f" ({self.file}, line {rest.split(' ')[0]})"
        return ", in compiled code" if ask else ""


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ends a process with all that it started, and gives its exit status, or minus the signal that ended it."""
    if process.returncode is None:  # not waited for yet, so the number still is its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it is not waited for, so its number stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _plain(text: str) -> str:
    """A text as one line that a screen can show."""
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST]
