"""The microbenchmark: what it makes of measurements, and that every side it names is really measured."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.throughput import OURS, PEERS, Peer, Sample, Side, Taken, Throughput
from tests.peers import ROOT, environment

KERAS, TORCH, TORCH_ONE, JAX = PEERS


def side(peer: Peer | None, *rates: int) -> Side:
    """What took one second a round; ours as two processes that share the work."""
    if peer is None:
        return Side(OURS, [Sample([Taken(rate, 2.0, 2.0), Taken(rate, 2.0, 2.0)]) for rate in rates])
    return Side(peer.name, [Sample([Taken(rate, 1.0, 2.0)]) for rate in rates], peer)


def microbench(peers: Path, file: Path) -> tuple[dict[str, Any], str]:
    """One round; what it wrote and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "microbench", "--peers", peers, "--rounds", "1", "--json", file],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120"},
        timeout=500,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(file.read_text()), done.stdout


def test_ratios_are_of_the_same_round_and_the_floor_is_for_a_rivals_fastest() -> None:
    ours, torch, one = side(None, 10, 100, 1000), side(TORCH, 1, 20, 100), side(TORCH_ONE, 2, 25, 200)
    result = Throughput([ours, torch, one, Side(JAX.name, (), JAX, absent="there is none")], workers=1)
    assert ours.rate == 100
    assert ours.cpu_rate == torch.cpu_rate * 5 == 50
    assert list(ours.spread) == [10, 1000]
    assert result.ratio(torch) == 10
    assert result.ratio(one) == 5
    assert [result.holds(s) for s in result.sides] == [None, None, False, None]
    written = json.loads(json.dumps(result.as_json()))
    assert written["sides"][TORCH_ONE.name]["steps_per_s"] == 25
    assert written["sides"][OURS]["rounds"][0][1] == {"steps": 10, "wall_s": 2.0, "cpu_s": 2.0}
    assert written["sides"][JAX.name]["ratio"] is None


@pytest.mark.slow
def test_every_side_is_measured(tmp_path: Path) -> None:
    written, printed = microbench(environment(), tmp_path / "speed.json")
    assert list(written["sides"]) == [OURS, *(peer.name for peer in PEERS)]
    for name, measured in written["sides"].items():
        assert not measured["absent"]
        assert not measured["failed"]
        assert len(measured["rounds"]) == 1
        assert measured["steps_per_s"] > 0
        assert name in printed
    assert written["machine"]["cpu"] in printed


@pytest.mark.slow
def test_without_the_peers_the_rest_is_measured_and_they_are_said_to_be_absent(tmp_path: Path) -> None:
    written, printed = microbench(tmp_path / "none", tmp_path / "speed.json")
    there = {name for name, measured in written["sides"].items() if not measured["absent"]}
    assert there == {OURS, JAX.name}
    assert printed.count("`make peers`") == 3
