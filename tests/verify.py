"""Writes what the whole catalogue agrees with, and how closely, to optimizers/verified.json: `make verified`."""

import datetime
import json

import optimizers
from bench import catalogue
from tests.closed_loop import GOLDEN, ORACLE, from_oracle, from_peer, read_golden, tolerance
from tests.golden import make as golden


def verification(name: str) -> catalogue.Verification:
    """The optimizer against its oracle and all its peers.

    Raises:
      ValueError: it differs by more than is allowed from one of them.
    """
    worst = {"oracle": max(float(from_oracle(n, setting).max()) for n, setting in ORACLE if n == name)}
    limits = {"oracle": tolerance(name)}
    for path in GOLDEN:
        about, _ = read_golden(path)
        if about["optimizer"] == name:
            against = f"{golden.files()[path][1].package} {about['version']}"
            worst[against] = max(worst.get(against, 0.0), float(from_peer(path).max()))
            limits[against] = tolerance(name, golden.files()[path][1].error)
    if wrong := [f"{against} by {error:.1e}" for against, error in worst.items() if error > limits[against]]:
        raise ValueError(f"{name} differs from {', '.join(wrong)}")
    agreements = [catalogue.Agreement(against=a, difference=float(f"{error:.1e}")) for a, error in worst.items()]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"code": catalogue.code(name), "date": date, "agreements": agreements}


def main() -> None:
    """Checks all, then writes the record."""
    entries = {}
    for name in optimizers.names():
        entries[name] = verification(name)
        found = ", ".join(f"{a['against']} {a['difference']:.1e}" for a in entries[name]["agreements"])
        print(f"{name}: {found}", flush=True)
    catalogue.RECORD.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
