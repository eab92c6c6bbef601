"""The process in which a user's own optimizer is checked: whatever its code does ends here.

What is found goes through a pipe that the code knows nothing of, a line of JSON each with a key, so that nothing it
prints is taken for a finding. `bench.apart` starts this process and bounds its time.
"""

import contextlib
import faulthandler
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

IMPORTS = "is found in its file"
LEAVES = "leaves JAX and the process as they were"
MEMORY = 4 * 1024**3  # bytes; a check takes a tenth of it
CLOSED = 97  # exit status where the pipe was closed
LONGEST = 400  # characters of a line
SETTINGS = ("JAX_", "XLA_", "OPTGRID_")  # variables that decide numbers


def main(job: dict[str, Any]) -> None:
    """Checks `job["spec"]` and ends the process.

    Args:
      job: also `strict`; `pipe` and `trace`, file descriptors for findings and for where the code was; `key`, which
        every line bears; and `seconds`, after which the process ends even if nobody is left to end it.
    """
    for fd in (job["pipe"], job["trace"]):
        os.set_inheritable(fd, False)
    faulthandler.enable(job["trace"])
    faulthandler.register(signal.SIGUSR1, job["trace"])
    faulthandler.dump_traceback_later(job["seconds"], file=job["trace"], exit=True)
    tell = _Teller(job["pipe"], job["key"])
    with contextlib.suppress(_Ended):
        _check(job["spec"], job["strict"], tell)
    tell.line(done=True)
    os._exit(0)  # what the code left to be done at exit is not waited for


class _Ended(Exception):
    """There is nothing more to find."""


class _Teller:
    """Sends what is found."""

    def __init__(self, pipe: int, key: str) -> None:
        self.pipe, self.key, self.now, self.exit = pipe, key, IMPORTS, os._exit

    def line(self, **content: Any) -> None:
        try:
            # Begun anew, as the code may have written half a line there.
            os.write(self.pipe, f"\n{json.dumps({'key': self.key, **content})}\n".encode())
        except OSError:
            self.exit(CLOSED)

    def asking(self, what: str) -> None:
        self.now = what
        self.line(asking=what)

    def finding(self, what: str, problem: str, reached: bool = True) -> None:
        self.line(finding=[what, problem[:LONGEST], reached])


def _check(spec: str, strict: bool, tell: _Teller) -> None:
    from bench import checks  # before the user's code, whose time is counted

    before = _outside()
    tell.line(plan=[IMPORTS, *checks.names(), LEAVES])
    try:
        tell.asking(IMPORTS)
        optimizer = _found(spec, tell)
        tell.finding(IMPORTS, "")
        for finding in checks.check(optimizer, strict, tell.asking):
            tell.finding(*finding)
    except _Ended:
        raise
    except BaseException as error:  # whatever is raised is a finding, KeyboardInterrupt too
        tell.finding(tell.now, checks.said(error))
    tell.asking(LEAVES)
    tell.finding(LEAVES, _changed(before))


def _found(spec: str, tell: _Teller) -> Any:
    from optimizers import OptimizerError, _bare

    _limit_memory()
    try:
        found = _bare.find(spec)
    except _bare.OwnCodeError as error:
        tell.finding(IMPORTS, _reason(error, spec))
    except OptimizerError as error:
        tell.line(mistake=str(error).splitlines()[0])
    else:
        tell.line(guessed=found.guessed)
        return found.optimizer
    raise _Ended


def _reason(error: BaseException, spec: str) -> str:
    """What is wrong with a file, and in which line."""
    from bench import checks
    from optimizers import OptimizerError
    from optimizers._spec import SpecError

    cause = error
    while isinstance(cause, OptimizerError | SpecError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if cause is error:
        return str(error).removeprefix(f"optimizer {spec!r}: ")
    return f"does not import: {checks.said(cause)}"


def _limit_memory() -> None:
    """So that a mistake fills no machine's memory; an accelerator's driver maps more than it takes."""
    import jax

    if jax.default_backend() == "cpu":
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _outside() -> dict[str, Any]:
    """What every other optimizer's numbers depend on, by name."""
    import jax
    import numpy as np
    import optax

    modules = (jax, jax.numpy, jax.lax, jax.tree, jax.random, np, optax)
    return {
        **{f"jax.config.{name}": value for name, value in jax.config.values.items()},
        **{f"os.environ[{name!r}]": x for name, x in os.environ.items() if name.startswith(SETTINGS)},
        **{f"{m.__name__}.{name}": id(x) for m in modules for name, x in vars(m).items() if not name.startswith("_")},
        "sys.stdout": id(sys.stdout),
        "sys.stderr": id(sys.stderr),
        "the current folder": str(Path.cwd()),
    }


def _changed(before: dict[str, Any]) -> str:
    """Which of those have changed; what a module got lazily is no change."""
    try:
        after = _outside()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    new = [name for name in after if name not in before and name.startswith("os.environ")]
    names = [*(name for name in before if name not in after or after[name] != before[name]), *new]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"changes {', '.join(names[:3])}{more}" if names else ""
