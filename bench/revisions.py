"""What another revision of this project makes of a cell: its code in a work tree of its own, run by this Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench import paths
from bench.errors import UserError

ROOT = Path(__file__).parents[1]
PROBE = str(ROOT / "bench" / "behaviour.py")
# In the work tree: what an optimizer does, then the first replicate of its cells. Older revisions know fewer options.
SCRIPT = """
import json, sys, runpy
job = json.loads(sys.argv[1])
if __name__ == "__main__":
    import numpy as np
    import bench, optimizers
    probe = runpy.run_path(job["probe"])
    np.save(job["behaviour"], probe["behaviour"](optimizers.get(job["optimizer"])))
    options = dict(optimizers=[job["optimizer"]], out=job["out"], replicates=1, seeds=1)
    try:
        bench.run(job["suite"], timed=False, **options)
    except TypeError:
        bench.run(job["suite"], **options)
"""


def commit(name: str) -> str:
    """The commit that a revision's name means.

    Raises:
      UserError: there is none, or this is no checkout.
    """
    asked = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{name} is neither a folder with a run nor a revision of {ROOT}")
    return done.stdout.strip()


def run(revision: str, optimizer: str, suite: str) -> tuple[Path, Path]:
    """Runs the first replicate of an optimizer's cells by the code of a revision, or finds it done.

    Returns:
      The folder of the run, and the file of what the optimizer does.

    Raises:
      UserError: there is no such revision, or its code does not run.
    """
    sha = commit(revision)
    tree, made = paths.cache() / "revisions" / sha / "tree", paths.cache() / "revisions" / sha / "runs" / suite
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        added = ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--force", "--detach", str(tree), sha]
        _must(added, f"{revision} could not be checked out", ROOT)
    behaviour = made / f"{optimizer}.npy"
    made.mkdir(parents=True, exist_ok=True)
    out = made / optimizer
    script = made / "run.py"
    script.write_text(SCRIPT)
    job = {"optimizer": optimizer, "suite": suite, "out": str(out), "probe": PROBE, "behaviour": str(behaviour)}
    _must([sys.executable, str(script), json.dumps(job)], f"the code of {revision} did not run {optimizer}", tree)
    return out, behaviour


def _must(command: list[str], otherwise: str, where: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(where), "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=where, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{otherwise}: {last}")
