"""What this machine is: how many cores may be used, and what to write beside numbers that were measured on it."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench import fingerprint
from bench.errors import UserError

SHARERS = 4  # workers of one accelerator
SPARED = 0.1  # of the memory, left to the system and to the runner
LEAST = 1024**3  # bytes that a worker needs whatever it runs
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@dataclass(frozen=True)
class Slot:
    """What one worker process may use.

    Attributes:
      core: that it is pinned to, None for any.
      device: number of the accelerator that it sees, None for all there are.
      memory: bytes, None for no bound.
    """

    core: int | None = None
    device: str | None = None
    memory: int | None = None


def cores() -> list[int]:
    """The cores that this process may use: those of its affinity, as many as the cgroup's quota pays for."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            return allowed[: max(1, int(quota) // int(period))]
    return allowed


def pinned() -> bool:
    """Whether each worker has a core of its own, rather than a share of an accelerator."""
    return fingerprint.platform() == "cpu"


def slots(workers: int | None = None, memory: int | None = None) -> list[Slot]:
    """One for each worker process: a core of its own, or on an accelerator, or where there are too few cores, none.

    Some share an accelerator: one computes while the others compile.

    Args:
      workers: how many; if not given, one a core, or on accelerators a few for each.
      memory: bytes for each; if not given, an equal share of the machine's.

    Raises:
      UserError: `workers` is below 1, or `memory` too little for any unit.
    """
    available, devices = cores(), accelerators()
    if workers is None:
        workers = min(SHARERS * len(devices), len(available)) if devices else len(available)
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}")
    each = max(LEAST, int(total_memory() * (1 - SPARED) / workers)) if memory is None else memory
    if each < LEAST:
        raise UserError(f"--memory must be at least {shown(LEAST)}, which any worker needs, not {shown(each)}")
    own = iter(available if pinned() and workers <= len(available) else [])
    return [Slot(next(own, None), devices[n % len(devices)] if devices else None, each) for n in range(workers)]


def accelerators() -> list[str]:
    """Numbers of the GPUs that may be used, as CUDA counts them; none on a CPU, one where they cannot be counted."""
    if pinned():
        return []
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [number.strip() for number in chosen.split(",") if number.strip()] or ["0"]
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=20).stdout
        return [str(n) for n in range(len(re.findall(r"^GPU \d+:", listed, re.MULTILINE)))] or ["0"]
    return ["0"]


def total_memory() -> int:
    """Bytes of memory that this machine, or the container that this runs in, has."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in MEMORY_LIMITS:
        with suppress(OSError, ValueError):
            found = min(found, int(limit.read_text()))
    return found


def taken(pid: int) -> int:
    """Bytes of memory that a process holds now; 0 where that cannot be known."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def bound(memory: int) -> None:
    """Lets this process hold no more memory than that, whatever asks for it, where the system can see to it."""
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def allowance() -> float:
    """Bytes that this process may still take by its bound; infinite if it has none."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    with suppress(OSError, ValueError, IndexError):
        return limit - int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return float(limit)


def size(text: str) -> int:
    """Bytes from what a user wrote: 4GB, 512MiB, 1.5 G, 2000000000.

    Raises:
      UserError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?\s*", text.upper())
    if found is None:
        raise UserError(f"a size is a number and a unit, as in 4GB or 512MiB, not {text!r}")
    return int(float(found[1]) * UNITS[found[2] or ""])


def shown(size: float) -> str:
    """Bytes as a user reads them: 1.5 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def environment() -> dict[str, Any]:
    """What numbers were made with: versions, processor, cores, system, and the checkout's commit if there is one."""
    return {
        "python": platform.python_version(),
        **fingerprint.versions(),
        "optgrid": _version("optgrid"),
        "cpu": cpu_model(),
        "cores": len(cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "platform": fingerprint.platform(),
        "commit": _commit(),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _commit() -> str:
    with suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(fingerprint.ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    return "unknown"
