"""Writes the golden files: what independent packages do in the closed loop, in float64.

    .venv-peers/bin/python tests/golden/make.py [OPTIMIZER ...]

Each peer of an oracle is one file NAME--PACKAGE-NUMBER.npz without pickles: `params`, float64 (len(AT), size), the
parameters to evaluate after the steps of AT, the leaves side by side; and `about`, a JSON text that says where they are
from: package, version, class, flags, seed, date, and the optimizer and setting of ours that must give the same.
"""

import datetime
import importlib.metadata
import json
import platform
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests import oracles
from tests.golden import packages
from tests.gradients import SEED, STEPS, flat, rates

FOLDER = Path(__file__).parent
DISTRIBUTIONS = importlib.metadata.packages_distributions()
AT = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)


def files() -> dict[Path, tuple[str, oracles.Peer]]:
    """Every peer with its file and our optimizer's name, numbered per optimizer and package."""
    named: dict[Path, tuple[str, oracles.Peer]] = {}
    for name in oracles.names():
        for peer in oracles.load(name).PEERS:
            stem = f"{name}--{peer.package}"
            number = 1 + sum(path.name.startswith(f"{stem}-") for path in named)
            named[FOLDER / f"{stem}-{number}.npz"] = (name, peer)
    return named


def drive(name: str, peer: oracles.Peer) -> np.ndarray:
    """The parameters to evaluate after the steps of AT: float64 (len(AT), size)."""
    problem = oracles.problem(name)
    params, advance = problem.start, packages.stepper(peer, problem)
    rate = rates(peer.setting["learning_rate"], peer.setting.get("rate_decay", 1.0))
    kept = []
    for t in range(1, STEPS + 1):
        params, evaluated = advance(float(rate[t - 1]), t, problem.loss(t).grad(params))
        if t in AT:
            kept.append(flat(evaluated))
    return np.array(kept)


def main(wanted: list[str]) -> None:
    """Makes the files of the optimizers named, or all of them, and removes those that no peer names."""
    for stale in set(FOLDER.glob("*.npz")) - set(files()):
        stale.unlink()
    for path, (name, peer) in files().items():
        if wanted and name not in wanted:
            continue
        params = drive(name, peer)
        about = {
            "optimizer": name,
            "setting": peer.setting,
            "path": peer.path,
            "version": importlib.metadata.version(DISTRIBUTIONS[peer.package][0]),
            "flags": peer.flags,
            "steps": AT,
            "seed": SEED,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
        np.savez_compressed(path, params=params, about=np.array(json.dumps(about)))
        print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
