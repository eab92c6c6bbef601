"""Whole runs of the reference task beside what others write for it, on the whole machine."""

from typing import Any

import pytest

from bench import fingerprint
from bench.microbench.sides import PEERS, Absent, Peer, Sides
from bench.microbench.turns import in_turns


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def bench_cells(benchmark: Any, sides: Sides, rounds: int, peer: Peer) -> None:
    """Our speed, run-steps a second, as a multiple of the peer's; beside packed ones, of process time."""
    try:
        sides.start(peer)
    except Absent as absent:
        pytest.skip(str(absent))
    goal = peer.goal if fingerprint.platform() == "cpu" else peer.accelerated
    in_turns(benchmark, sides.ours, lambda: sides.theirs(peer), goal, rounds, by_cpu=peer.packed)
