"""Options and the sides that stay up through the suites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import machine
from bench.microbench.sides import Sides


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `optgrid microbench` passes on."""
    parser.addoption("--peers", type=Path, default=Path(".venv-peers"), help="environment that `make peers` makes")
    parser.addoption("--rounds", type=int, default=7, help="measurements of each side")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """Measurements of each side."""
    return int(request.config.getoption("--rounds"))


@pytest.fixture(scope="session")
def sides(request: pytest.FixtureRequest) -> Iterator[Sides]:
    """Our workers, and the peers as they are asked for."""
    with Sides(request.config.getoption("--peers")) as sides:
        yield sides


def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    """What the report says of the machine, beside what pytest-benchmark does."""
    machine_info["optgrid"] = machine.environment()
