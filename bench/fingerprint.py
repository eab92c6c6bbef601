"""What decides the numbers of a unit, as one hash: with it a stored unit is not computed again, without it not used.

In it: the task's description and data, the protocol, the optimizer's name and what is fixed of it, the code that a
unit runs through, the versions of what computes, the platform and XLA's flags. Not in it: how many replicates or
final seeds there are, since more of either only adds. Needs no JAX, so that a finished run is recognised at once.
"""

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

import optimizers
from bench.code import closure, code_digest
from bench.errors import UserError
from bench.protocol import Protocol
from bench.task import Task
from optimizers._own import is_listed

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "optimizers")
LIBRARIES = ("jax", "jaxlib", "optax", "flax", "numpy", "scipy")

# The data's own hash stands for the code that loads it; files, paths and messages decide no number, nor do the front
# doors, which lead everywhere.
NEUTRAL = frozenset(
    f"bench/{name}"
    for name in (
        *("__init__.py", "tasks/__init__.py", "code.py", "errors.py", "files.py", "machine.py", "paths.py"),
        *("records.py", "archive.py", "layout.py", "data"),
    )
)

SETTINGS = ("JAX_ENABLE_X64", "JAX_DEFAULT_PRNG_IMPL", "JAX_THREEFRY_PARTITIONABLE", "JAX_DEFAULT_MATMUL_PRECISION")

# XLA's flags, as compiling takes longer than running. On a CPU: small programs compile a fifth faster and run as fast.
# On a GPU: kernels are not tried out and chosen by their speed, so that programs compile five times faster and their
# steps take a seventh longer.
FLAGS = {
    "cpu": "--xla_backend_optimization_level=1",
    "cuda": "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false",
}
WIDE = 64  # lanes on an accelerator, where a step of so many networks takes hardly longer than one of one
WIDEST = 4096


def lanes() -> int:
    """Runs that share one call of a program, side by side: one on a CPU, WIDE elsewhere, or what OPTGRID_LANES says.

    Another width rounds differently; the same one gives the same numbers, whatever runs the lanes hold.

    Raises:
      UserError: OPTGRID_LANES is no whole number of at least 1.
    """
    asked = os.environ.get("OPTGRID_LANES", "")
    if not asked:
        return 1 if platform() == "cpu" else WIDE
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= WIDEST):
        raise UserError(f"OPTGRID_LANES must be a whole number of at least 1 and at most {WIDEST}, not {asked!r}")
    return int(asked)


def xla_flags() -> str:
    """XLA's flags in a worker: ours, then the user's, which win."""
    ours = FLAGS.get(platform(), "")
    own = os.environ.get("XLA_FLAGS", "").removeprefix(ours).strip()
    return f"{ours} {own}".strip()


def settings() -> dict[str, str]:
    """JAX's settings that decide numbers: the user's and, on an accelerator, products of whole float32 numbers, as they
    are on a CPU."""
    ours = {} if platform() == "cpu" else {"JAX_DEFAULT_MATMUL_PRECISION": "float32"}
    return ours | {name: os.environ[name] for name in SETTINGS if name in os.environ}


def platform() -> str:
    """The JAX platform that workers run on: what JAX_PLATFORMS says, else the CPU."""
    return os.environ.get("JAX_PLATFORMS") or "cpu"


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that compute a unit."""
    return {name: version(name) for name in LIBRARIES}


def fingerprint(task: Task, optimizer: str, protocol: Protocol) -> str:
    """SHA-256, as hex, of everything that decides the numbers of the (task, optimizer) cell's units."""
    parts = {
        "task": task.identity,
        "optimizer": optimizers.parse(optimizer).name,
        "protocol": protocol.identity,
        "code": _code(task.code, optimizer),
        "versions": versions(),
        "platform": platform(),
        "flags": xla_flags(),
        "jax": settings(),
        "lanes": lanes(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _code(task: frozenset[Path], optimizer: str) -> str:
    """Hash of the spine, the task's files and the optimizer's file, with all that they import of the project and, for
    an optimizer in a package, of that package, unless a version already stands for it."""
    *around, file = optimizers.source_files(optimizer)
    spec = optimizers.parse(optimizers.layers(optimizer)[1])
    if not is_listed(optimizer):
        around.append(ROOT / "optimizers" / "_bare.py")  # a bare function's space may be guessed
    files = closure({ROOT / "bench" / "sweep.py", *task, *around, file}, ROOT, PACKAGES, NEUTRAL)
    module = spec.target.split(".")
    if spec.attr is not None and not spec.is_path and module[0] not in (*LIBRARIES, *PACKAGES):
        depth = len(module) - (file.name != "__init__.py")
        files += closure({file}, file.parents[depth], (module[0],), frozenset())
    return code_digest(*files)
