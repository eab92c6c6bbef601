"""Writes what the whole catalogue agrees with, and how closely, to optimizers/verified.json: `make verified`."""

import datetime
import hashlib
import json
import sys
from pathlib import Path

import optimizers
from bench import catalogue
from bench.code import code_digest
from tests.closed_loop import ORACLE, from_oracle, from_peer, read_golden, tolerance
from tests.golden import make as golden

TESTS = Path(__file__).parent
HOW = [TESTS / "closed_loop.py", TESTS / "gradients.py", TESTS / "oracles" / "__init__.py"]


def evidence(name: str) -> str:
    """Hash of what an optimizer is compared with, and of how."""
    digest = hashlib.sha256(code_digest(*HOW, TESTS / "oracles" / f"{name}.py").encode())
    for path in sorted(golden.FOLDER.glob(f"{name}--*.npz")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def verification(name: str) -> catalogue.Verification:
    """The optimizer against its oracle and all its peers.

    Raises:
      ValueError: it differs by more than is allowed from one of them.
    """
    found = [("oracle", float(from_oracle(n, setting).max()), tolerance(name)) for n, setting in ORACLE if n == name]
    for path, (ours, peer) in golden.files().items():
        if ours == name:
            against = f"{peer.package} {read_golden(path)[0]['version']}"
            found.append((against, float(from_peer(path).max()), tolerance(name, peer.error)))
    if wrong := [f"{against} by {error:.1e}" for against, error, limit in found if error > limit]:
        raise ValueError(f"{name} differs from {', '.join(wrong)}")
    worst = {against: max(error for a, error, _ in found if a == against) for against, _, _ in found}
    agreements = [catalogue.Agreement(against=a, difference=float(f"{error:.1e}")) for a, error in worst.items()]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "code": catalogue.code(name),
        "evidence": evidence(name),
        "date": date,
        "agreements": agreements,
        "costs": catalogue.costs(optimizers.get(name)),
    }


def main(wanted: list[str]) -> None:
    """Checks the optimizers named, or all, and then writes the record, in which the others stay as they are."""
    known = catalogue.record()
    entries = {name: known[name] for name in optimizers.names() if name in known}
    for name in wanted or optimizers.names():
        entries[name] = verification(name)
        found = ", ".join(f"{a['against']} {a['difference']:.1e}" for a in entries[name]["agreements"])
        print(f"{name}: {found}", flush=True)
    catalogue.RECORD.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
