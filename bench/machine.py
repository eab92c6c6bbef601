"""What this machine is: how many cores may be used, and what to write beside numbers that were measured on it."""

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench import fingerprint
from bench.errors import UserError

SHARERS = 4  # workers of one accelerator


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


def slots(workers: int | None = None) -> list[int | None]:
    """The core of each worker process; None, an unpinned one, on an accelerator or where there are too few cores.

    Some share an accelerator: one computes while the others compile.

    Raises:
      UserError: `workers` is below 1.
    """
    available = cores()
    if workers is None:
        workers = len(available) if pinned() else min(SHARERS, len(available))
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}")
    return list(available[:workers]) if pinned() and workers <= len(available) else [None] * workers


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
