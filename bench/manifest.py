"""What run.json and the step times must hold to be read; pure, as `bench.layout` is for records."""

import math
from collections.abc import Mapping
from typing import Any

from bench.errors import DamagedRecord
from bench.layout import check_protocol, is_number, is_plain, is_text, unfit_name

UNITS = 1_000_000  # that a manifest may ask for: whoever reads it goes through all of them
ROUNDS = ("step_s", "step_cpu_s", "sgd_step_s", "sgd_step_cpu_s")
CHECKS = ("doubling", "distance", "steps", "device")
MOST_ROUNDS = 1000


def wrong_fields(manifest: Mapping[str, Any]) -> list[str]:
    """The fields of a manifest that are missing, or not what whoever reads it relies on."""
    fits = {
        "suite": not unfit_name(manifest.get("suite")),
        "suite_version": type(manifest.get("suite_version", 0)) is int,
        "protocol": _is_protocol(manifest.get("protocol")),
        "replicates": _is_count(manifest.get("replicates")),
        "seeds": _is_count(manifest.get("seeds")),
        "tasks": _are_names(manifest.get("tasks")),
        "optimizers": _are_names(manifest.get("optimizers")),
        "fingerprints": is_plain(manifest.get("fingerprints"), (str,)),
        "failed": is_plain(manifest.get("failed"), (str,)),
        "skipped": is_plain(manifest.get("skipped", {}), (str,)),
        "wall": _is_wall(manifest.get("wall", {})),
        "environment": is_plain(manifest.get("environment", {})),
    }
    wrong = [name for name, right in fits.items() if not right]
    if not wrong and len(manifest["tasks"]) * len(manifest["optimizers"]) * manifest["replicates"] > UNITS:
        wrong.append("replicates")
    return wrong


def is_timing(values: object) -> bool:
    """Whether something is what was measured of one cell: step times, or why there are none.

    Single rounds may come out below zero, as what a call costs is taken off; a step never does.
    """
    if not isinstance(values, dict) or not all(is_text(values.get(name, "")) for name in ("cell", "fingerprint")):
        return False
    if "unsound" in values:
        return is_text(values["unsound"])
    rounds: list[list[float]] = [values[name] for name in ROUNDS if _are_times(values.get(name))]
    if len(rounds) < len(ROUNDS) or len(set(map(len, rounds))) > 1 or not all(map(all, rounds[2:])):
        return False  # nothing is told in multiples of no time
    doubling, distance, steps, device = (values.get(name) for name in CHECKS)
    sound = is_number(doubling) and 0 < doubling < math.inf and type(steps) is int and steps > 0
    return sound and is_number(distance) and is_text(device) and "cell" in values


def _are_times(values: object) -> bool:
    """Whether something is seconds of rounds, whose middle is above nothing."""
    if not isinstance(values, list) or not 0 < len(values) <= MOST_ROUNDS:
        return False
    if not all(is_number(value) and math.isfinite(value) for value in values):
        return False
    return sorted(values)[(len(values) - 1) // 2] > 0


def _is_protocol(fields: object) -> bool:
    try:
        check_protocol(fields)
    except DamagedRecord:
        return False
    return True


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= UNITS


def _are_names(values: object) -> bool:
    return (
        isinstance(values, list) and not any(unfit_name(value) for value in values) and len(values) == len(set(values))
    )


def _is_wall(values: object) -> bool:
    return isinstance(values, dict) and is_plain(values, (int, float)) and all(map(is_number, values.values()))
