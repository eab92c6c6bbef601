"""What a record must hold to be read: which fields and arrays, of which kinds, and how they agree; see `bench.records`.

A checksum says that a file is as it was written, not by whom: whatever reads a record relies on what is checked here.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from bench.errors import DamagedRecord, UserError
from bench.protocol import LARGEST, SELECTIONS, Protocol
from bench.task import SPLITS

NAME = 200  # bytes of a name at most: it is a part of file names
FINGERPRINT = 200  # characters
SMALL = 1e-37  # floors are held against float32, whose numbers end about here
LARGE = 2**53  # of whole numbers: a float has no more of them
STAGES = ("search", "final")
ENDS = ("grad_evals", "diverged", "distance")

# Names of arrays are keys and never paths; those that look like paths up are refused all the same.
ARRAY = re.compile(
    r"step|chosen|folds/loss|selected/(train|valid)|(hparams|position|open)/\w+"
    r"|(search|final)/(grad_evals|diverged|distance|(train|valid|test)/(?!.*\.\.)[^/\\][^\\]*)"
)
NUMBERS = ("replicate", "budget", "param_bytes", "state_bytes")
LEAST = {"replicate": 0, "budget": 1, "param_bytes": 1, "state_bytes": 0}
SAID = Protocol().identity.keys()
SECONDS = ("trace_s", "compile_s", "evaluation_s")
WORDS = ("metric", "data", "paper", "device")


def unfit_name(name: object) -> str:
    """Why something cannot be the name of a task or of an optimizer, which is a part of file names; empty if it can.

    Brackets, colons, quotes and markup are allowed: names say what is fixed of an optimizer, as `adam(b2=0.5)`.
    """
    if not isinstance(name, str) or not name:
        return "no name"
    if not name.isprintable():
        return "characters that cannot be printed"
    if name.startswith(".") or "/" in name or "\\" in name:
        return "a name of no file: it begins with a dot or has a slash"
    return f"more than {NAME} bytes" if len(name.encode()) > NAME else ""


def check_protocol(fields: object) -> Protocol:
    """The protocol that `Protocol.identity` was written of.

    Raises:
      DamagedRecord: there is none of these fields.
    """
    try:
        if isinstance(fields, dict) and fields.keys() >= SAID:
            return Protocol(**fields)
    except (TypeError, UserError) as error:  # an unknown field, or one out of its range
        raise DamagedRecord(f"its protocol is none that this version knows ({error})") from error
    raise DamagedRecord("its protocol says nothing of what is always said")


def check(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Checks a whole record, as a run writes it.

    Raises:
      DamagedRecord: something is missing, of the wrong kind, or does not agree with the rest.
    """
    check_meta(meta)
    for name in SECONDS:
        _seconds(meta, name)
    check_arrays(meta, arrays)
    for stage in STAGES:
        for split in SPLITS:
            for metric in ("loss", meta["metric"]):
                _need(f"{stage}/{split}/{metric}" in arrays, f"it has no {stage}/{split}/{metric}")
        _need(f"{stage}/distance" in arrays, f"it has no {stage}/distance")


def check_meta(meta: Mapping[str, Any]) -> None:
    """Checks what every record says of itself, a baseline's too.

    Raises:
      DamagedRecord: something is missing or of the wrong kind.
    """
    for name in ("task", "optimizer"):
        if why := unfit_name(meta.get(name)):
            raise DamagedRecord(f"its {name} has {why}")
    for name in NUMBERS:
        _whole(meta, name, LEAST[name], LARGEST if name == "budget" else LARGE)
    for name in WORDS:
        _need(is_text(meta.get(name)), f"its {name} is no text")
    known = meta.get("fingerprint")
    _need(is_text(known) and len(str(known)) <= FINGERPRINT, "its fingerprint is no text of usual length")
    _need(is_number(meta.get("floor")) and SMALL <= meta["floor"] <= 1 / SMALL, "its floor is no number above 0")
    _need(isinstance(meta.get("compile_cached"), bool), "its compile_cached is neither true nor false")
    for name in ("defaults", "space", "environment"):
        _need(
            is_plain(meta.get(name, {} if name == "environment" else None)), f"its {name} are no plain values by name"
        )
    _need(all(isinstance(law, str) for law in meta["space"].values()), "its space is no text by name")
    share, whole = meta.get("share", 1.0), meta.get("whole_budget", meta["budget"])
    _need(is_number(share) and 0 < share <= 1, "its share is not above 0 and at most 1")
    _need(type(whole) is int and meta["budget"] <= whole <= LARGEST, "its whole_budget is no number above its budget")
    check_protocol(meta.get("protocol"))


def check_arrays(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Checks the arrays that every record has, a baseline's too, beside metadata that was checked.

    Raises:
      DamagedRecord: one is missing, of the wrong kind or shape, or does not agree with the others.
    """
    for name in arrays:
        _need(ARRAY.fullmatch(name) is not None, f"a record has no array {name}")
    step = _array(arrays, "step", "i", (None,))
    _need(len(step) > 1 and step[0] == 0 and step[-1] == meta["budget"], "its step does not go from 0 to its budget")
    _need(bool((step[1:] > step[:-1]).all()), "its step does not ascend")
    trials = len(_array(arrays, "search/diverged", "i", (None,)))
    chosen = _array(arrays, "chosen", "i", (None,)).tolist()
    selected = {int(_array(arrays, f"selected/{by}", "i", ())) for by in SELECTIONS}
    _need(chosen == sorted(selected), "its chosen are not the trials that were selected")
    _need(chosen[0] >= 0 and chosen[-1] < trials, f"its chosen are none of its {trials} trials")
    asked = meta["protocol"].get("trials", trials)
    _need(trials == asked, f"it has {trials} trials, and its protocol {asked}")
    seeds = _array(arrays, "final/diverged", "i", (len(chosen), None)).shape[1]
    for name, values in arrays.items():
        group, _, rest = name.partition("/")
        if group in STAGES:
            runs = (trials,) if group == "search" else (len(chosen), seeds)
            _check_run(rest, _array(arrays, name, "f" if rest not in ENDS[:2] else "i", None), runs, len(step), name)
        elif group == "hparams":
            _need(values.dtype.kind in "fib" and values.shape == (trials,), f"{name} is not of {trials} trials")
            _need(bool(np.isfinite(values).all()), f"{name} is not finite")
            _need(rest != "learning_rate" or bool((values > 0).all()), f"{name} is not above 0")
        elif group == "position":
            _array(arrays, name, "f", (trials,))
            _array(arrays, f"open/{rest}", "b", (2,))
        if group in ("position", "open"):
            _need(f"hparams/{rest}" in arrays, f"{name} is of no hyperparameter that it has")
    folds = check_protocol(meta["protocol"]).folds
    _need(bool(folds) == ("folds/loss" in arrays), f"it has {'no' if folds else 'a'} folds/loss")
    if folds:
        _array(arrays, "folds/loss", "f", (folds, trials, len(step)))
    for split in ("train", "valid"):
        _need(f"search/{split}/loss" in arrays, f"it has no search/{split}/loss")
    for needed in (*(f"{stage}/grad_evals" for stage in STAGES), *_finals(meta)):
        _need(needed in arrays, f"it has no {needed}")


def _finals(meta: Mapping[str, Any]) -> list[str]:
    return [f"final/{split}/{metric}" for split in SPLITS for metric in ("loss", meta["metric"])]


def _check_run(rest: str, values: np.ndarray, runs: tuple[int, ...], points: int, name: str) -> None:
    """One array of a stage: an end of each run, or a curve; curves may be NaN, as those of runs that diverged are."""
    wanted = runs if rest in ("diverged", "distance") else (*runs, points)
    _need(values.shape == wanted, f"{name} has the shape {values.shape}, not {wanted}")
    if rest in ENDS:
        _need(not bool((values < (-1 if rest == "diverged" else 0)).any()), f"{name} is below what it can be")
    if rest == "grad_evals":
        _need(bool((values[..., 1:] >= values[..., :-1]).all()), f"{name} descends")


def is_plain(values: object, least: Sequence[type] = (bool, int, float, str, type(None))) -> bool:
    """Whether something is an object of plain values by printable names."""
    return isinstance(values, dict) and all(
        is_text(name) and isinstance(value, tuple(least)) and (not isinstance(value, str) or is_text(value))
        for name, value in values.items()
    )


def _array(arrays: Mapping[str, np.ndarray], name: str, kinds: str, shape: tuple[int | None, ...] | None) -> np.ndarray:
    """An array that must be there, of a kind of numbers and, where given, a shape whose None are any length."""
    values = arrays.get(name)
    if values is None:
        raise DamagedRecord(f"it has no {name}")
    fits = shape is None or (
        len(shape) == values.ndim and all(s in (None, v) for s, v in zip(shape, values.shape, strict=True))
    )
    if values.dtype.kind not in kinds or not fits or not values.size:
        raise DamagedRecord(f"{name} is not as a record has it: {values.dtype} of the shape {values.shape}")
    return values


def _whole(meta: Mapping[str, Any], name: str, least: int, most: int) -> None:
    value = meta.get(name)
    if type(value) is not int or not least <= value <= most:  # true and false are no numbers here
        raise DamagedRecord(f"its {name} is no whole number of at least {least} and at most {most}")


def _seconds(meta: Mapping[str, Any], name: str) -> None:
    _need(is_number(meta.get(name)) and 0 <= meta[name] < math.inf, f"its {name} is no time")


def is_number(value: object) -> TypeGuard[float]:
    """Whether something is a number that arithmetic takes: a whole one of hundreds of digits is none."""
    return isinstance(value, float) or (type(value) is int and abs(value) <= LARGE)


def is_text(value: object) -> TypeGuard[str]:
    """Whether something is text that can be written, which half of a surrogate pair cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DamagedRecord(otherwise)
