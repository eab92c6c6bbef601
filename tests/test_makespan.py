"""The runner's order of work, played through: hand cases, and bounds that hold for any."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.makespan import Load, play

seconds = st.floats(0.01, 100.0)
plain = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), seconds, seconds), min_size=1, max_size=8)


def loads(cells: list[tuple[str, int, float, float]], setups: bool = True) -> list[Load]:
    return [
        Load(task, str(i), units, unit, setup if setups else 0.0) for i, (task, units, unit, setup) in enumerate(cells)
    ]


def test_one_worker_does_one_thing_after_another() -> None:
    played = play([Load("a", "x", 3, 2.0, 5.0), Load("b", "x", 1, 10.0, 1.0)], 1, start_s=1.0, opening_s={"a": 0.5})
    assert played.wall_s == played.busy_s == pytest.approx(1 + 0.5 + 5 + 3 * 2 + 1 + 10)
    assert played.longest_s == pytest.approx(1 + 1 + 10)


def test_two_workers_take_a_task_each_and_the_idle_one_helps_at_the_end() -> None:
    # The first ends units of a at 4 and 7; the second is done with b at 2, compiles a, and ends two at 6 and 9.
    played = play([Load("a", "x", 4, 3.0, 1.0), Load("b", "x", 1, 1.0, 1.0)], 2)
    assert played.homes == {"a": 0, "b": 1}
    assert played.compiled == {0: {("a", "x")}, 1: {("b", "x"), ("a", "x")}}
    assert played.wall_s == pytest.approx(9.0)
    assert played.busy_s == pytest.approx(4 * 3 + 1 + 3 * 1)


def test_the_longest_task_and_in_it_the_longest_cell_go_first() -> None:
    cells = [Load("short", "x", 1, 1.0, 0.0), Load("long", "x", 1, 2.0, 0.0), Load("long", "y", 1, 5.0, 0.0)]
    played = play(cells, 2)
    assert played.homes == {"long": 0, "short": 1}
    # The worker of the short task takes the other cell of the long one.
    assert played.compiled == {0: {("long", "y")}, 1: {("short", "x"), ("long", "x")}}
    assert played.wall_s == pytest.approx(5.0)


def test_a_cell_is_compiled_once_by_each_worker_that_takes_a_unit_of_it() -> None:
    played = play([Load("a", "x", 3, 1.0, 10.0)], 3)
    assert played.wall_s == pytest.approx(11.0)
    assert played.busy_s == pytest.approx(33.0)


def test_nothing_to_do_takes_no_time_and_no_worker() -> None:
    played = play([Load("a", "x", 0, 1.0, 1.0)], 8, start_s=1.0)
    assert (played.wall_s, played.busy_s, played.longest_s, played.homes) == (0.0, 0.0, 0.0, {})


@given(plain, st.integers(1, 12), seconds)
@settings(deadline=None)
def test_no_schedule_is_shorter_than_its_bounds(
    cells: list[tuple[str, int, float, float]], workers: int, start: float
) -> None:
    work = loads(cells)
    opening = {"a": 3.0, "b": 0.0}
    played = play(work, workers, start, opening)
    assert played.wall_s >= played.longest_s - 1e-9
    assert played.wall_s >= played.busy_s / workers - 1e-9
    # Nobody idles while units wait: the last to end began when all others were busy.
    assert played.wall_s <= played.busy_s / min(workers, sum(load.units for load in work)) + played.longest_s + 1e-9
    assert sum(load.units * load.unit_s for load in work) <= played.busy_s + 1e-9


@given(plain, st.integers(1, 12))
@settings(deadline=None)
def test_another_worker_costs_at_most_a_units_time(cells: list[tuple[str, int, float, float]], workers: int) -> None:
    # Graham, 1969: greedy schedules end within the longest job of the mean, so one more worker may cost no more.
    work = loads(cells, setups=False)
    fewer, more = play(work, workers), play(work, workers + 1)
    assert more.wall_s <= fewer.wall_s + max(load.unit_s for load in work) + 1e-9
    assert more.busy_s == pytest.approx(fewer.busy_s)


def test_equal_cells_are_never_slower_on_more_workers() -> None:
    work = [Load(task, name, 3, 2.0, 1.0) for task in "abcdef" for name in "xyz"]
    walls = [play(work, workers, 1.0, dict.fromkeys("abcdef", 0.5)).wall_s for workers in range(1, 61)]
    doubled = [walls[n - 1] for n in (1, 2, 4, 8, 16, 32)]
    assert doubled == sorted(doubled, reverse=True)
    assert walls[53] == walls[59] == pytest.approx(1 + 0.5 + 1 + 2)  # a worker for each unit
