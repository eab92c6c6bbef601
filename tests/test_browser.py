"""The page in a real browser: no error, every control does what it says, and the numbers are those of the CSV files.

Needs Playwright and a Chromium, which `make test-all` sees to; skipped, with the reason, where there is none.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bench
import reports
from bench import results, study, studying
from bench.files import write_atomically
from bench.traces import encode, trace_file
from bench.traces import load as traces_of
from reports import boards, tables
from reports import study as studies
from reports.rows import of_board, read_csv
from tests.test_reports import diverge, run
from tests.test_reports_why import trace

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-all installs it")
pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TABS = (
    "answer", "boards", "convergence", "targets", "tuning", "pairs", "costs", "gap", "why", "task", "method",
)  # fmt: skip
OWN = ("file:", "blob:", "data:")
EVIL = "<img src=x onerror=alert(1)>%{x}$"
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = os.environ.get("OPTGRID_BROWSER") or next((path for name in NAMES if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium can be started ({str(error).splitlines()[0]}); set OPTGRID_BROWSER to one")
        yield started
        started.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run's report."""
    out = tmp_path_factory.mktemp("browser") / "run"
    bench.run("smoke", optimizers=["sgd", "adam", "momentum"], out=out, diagnostics=True)
    reports.ensure(results.load(out))
    return out / "report"


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a page; whatever the browser complains of, or asks the network for, fails the test."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def open_page(file: Path, address: str = "", width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.extend([said.text] * (said.type in ("error", "warning"))))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.on("request", lambda asked: complaints.extend([asked.url] * (not asked.url.startswith(OWN))))
        page.goto(f"file://{file}{address}")
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def traces(page: Any, chart: str) -> Any:
    return page.evaluate('name => document.querySelector(`[data-chart="${name}"]`).data', chart)


def cells(page: Any, table: str) -> list[list[str]]:
    """Texts of a table's rows."""
    texts = "row => [...row.cells].map(cell => cell.innerText)"
    found: list[list[str]] = page.evaluate(f"[...document.querySelectorAll('#{table} tbody tr')].map({texts})")
    return found


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_part_is_drawn_without_a_complaint(folder: Path, opened: Open, theme: Any, width: int) -> None:
    page = opened(folder / "index.html", width=width, color_scheme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert page.locator('[role="tabpanel"]:visible').count() == 1
        for chart in page.locator(f"#panel-{tab} [data-chart]").all():
            assert chart.locator(".main-svg").count() or "Nothing to show" in chart.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_numbers_are_those_of_the_files(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=boards")
    rows = read_csv(folder / "leaderboard.csv")
    for name in tables.SUBJECTS:
        assert cells(page, f"table-{name}") == [list(tables.cells(row).values()) for row in of_board(rows, name)]
    with (folder / "speed.csv").open() as file:
        speed = [(row["optimizer"], f"{100 * float(row['left']) + 0.0:.0f} %") for row in csv.DictReader(file)]
    assert [(row[1], row[2]) for row in cells(page, "table-speed")] == speed
    page.click("#tab-answer")
    for board in ("optimization", "generalization"):
        first = of_board(rows, board)[0]
        assert first.optimizer in page.inner_text(f"#answer-{board}")


def test_the_dial_reads_everything_at_another_budget(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=boards")
    whole = cells(page, "table-optimization")
    assert page.is_hidden("#shorter")
    page.focus("#budget")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    assert page.inner_text("#budget-shown") == "40 %"
    assert "tuned for the full budget" in page.inner_text("#shorter")
    assert cells(page, "table-optimization") != whole
    short = results.load(folder.parent).at(0.4)
    rows = of_board(boards.rows(short, boards.boards(short)), "optimization")
    assert cells(page, "table-optimization") == [list(tables.cells(row).values()) for row in rows]
    assert "budget=40" in page.evaluate("location.hash")


def test_a_heading_sorts_up_down_and_back(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=boards")
    before = cells(page, "table-optimization")
    head = '[data-sort="optimization/optimizer"]'
    orders = []
    for _ in range(3):
        page.click(head)
        orders.append([row[1] for row in cells(page, "table-optimization")])
    assert orders == [["adam", "momentum", "sgd"], ["sgd", "momentum", "adam"], [row[1] for row in before]]
    page.click('[data-sort="optimization/state"]')
    states = [float(row[-1].rstrip("×")) for row in cells(page, "table-optimization")]
    assert states == sorted(states)
    assert page.get_attribute('#table-optimization th:has([data-sort$="/state"])', "aria-sort") == "ascending"


def test_optimizers_are_chosen(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=convergence&bands=0")
    assert {trace["name"] for trace in traces(page, "convergence")} == {"sgd", "adam", "momentum"}
    page.click("#chips button:has-text('adam')")
    shown = traces(page, "convergence")
    assert {trace["name"] for trace in shown} == {"sgd", "momentum", "others"}
    assert page.get_attribute("#chips button:has-text('adam')", "aria-pressed") == "false"
    page.click("#choose-none")
    assert {trace["name"] for trace in traces(page, "convergence")} == {"others"}
    page.click("#tab-tuning")
    assert "Nothing to show" in page.inner_text('[data-chart="rates"]')
    page.click("#choose-first")
    assert "Nothing to show" not in page.inner_text('[data-chart="rates"]')
    page.click("#tab-convergence")
    assert len(traces(page, "convergence")) == 6


def test_curves_are_shown_over_what_was_asked(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=convergence&bands=0")
    first = traces(page, "convergence")[0]
    assert first["x"][-1] == 100
    page.click("#panel-convergence label:has-text('Share of budget')")
    assert traces(page, "convergence")[0]["x"][-1] == 1
    page.click("#panel-convergence label:has-text('Seconds')")
    assert 0 < traces(page, "convergence")[0]["x"][-1] < 60
    page.click("#panel-convergence label:has-text('Test')")
    assert traces(page, "convergence")[0]["y"] != first["y"]
    page.click('#panel-convergence label:has-text("Task\'s metric")')
    assert 0 <= traces(page, "convergence")[0]["y"][-1] <= 1
    page.check("#panel-convergence label:has-text('bands') input")
    assert len(traces(page, "convergence")) == 12
    layout = "() => document.querySelector('[data-chart=convergence]').layout.xaxis.type"
    page.check("#panel-convergence label:has-text('log x') input")
    assert page.evaluate(layout) == "log"


def test_a_run_is_followed_in_the_quantity_that_was_asked(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=why")
    recorded = traces_of(results.load(folder.parent)).traces
    for quantity in ("sharpness", "alignment", "path"):
        page.select_option("[data-state=quantity]", quantity)
        drawn = [one for one in traces(page, "along") if one.get("name") == "adam"]
        kept = [trace for (_, name), trace in recorded.items() if name == "adam"]
        arrays = [trace.arrays["sharp/top" if quantity == "sharpness" else quantity] for trace in kept]
        assert sorted(round(one["y"][-1], 2) for one in drawn) == pytest.approx(
            sorted(float(values[-1]) for values in arrays), abs=0.02, rel=1e-3
        )
    assert "quantity=path" in page.url


def test_the_board_decides_what_is_drawn(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html")
    before = traces(page, "leaderboard")[-1]["x"]
    page.click("label:has-text('Generalization')")
    assert traces(page, "leaderboard")[-1]["x"] != before


def test_a_link_shows_the_same(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html")
    page.click("#tab-task")
    page.select_option("select[data-state=task]", "diabetes")
    page.click("label:has-text('Generalization')")
    page.click("#chips button:has-text('sgd')")
    other = opened(folder / "index.html", page.evaluate("location.hash"))
    assert other.is_visible("#panel-task")
    assert other.input_value("select[data-state=task]") == "diabetes"
    assert traces(other, "final") == traces(page, "final")
    assert other.inner_text("#shown-count") == page.inner_text("#shown-count") == "Optimizers in colour: 2 of 3"


def test_a_link_may_hold_anything(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", "#tab=nothing&budget=7&chosen={[&sort=%00/<b>&task=x&board=y&theme=z")
    assert page.is_visible("#panel-answer")
    assert page.inner_text("#budget-shown") == "100 %"


def test_the_keyboard_reaches_every_part(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html")
    page.focus("#tab-answer")
    for tab in (*TABS[1:], TABS[0]):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.tab") == tab
        assert page.is_visible(f"#panel-{tab}")


def test_the_theme_changes(folder: Path, opened: Open) -> None:
    page = opened(folder / "index.html", color_scheme="light")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.querySelector('[data-chart=leaderboard]').layout.paper_bgcolor") == "#15181c"


def test_names_with_markup_are_only_names(tmp_path: Path, opened: Open) -> None:
    task, others = f"{EVIL} task", [EVIL, "</script><b>sgd"]
    written = trace(task, EVIL, layers=[EVIL, "</script><b>sgd"])
    write_atomically(trace_file(tmp_path / "run", task, EVIL), encode(written))
    made = run(
        tmp_path / "run", tasks=[task, "prices"], optimizers=others, failed={EVIL: EVIL},
        fingerprints={f"{task}--{EVIL}": ""},
    )  # fmt: skip
    page = opened(reports.ensure(made))
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert page.locator("main img, main b:text-is('sgd'), main script").count() == 0
    page.click("#tab-boards")
    assert EVIL in [row[1] for row in cells(page, "table-optimization")]
    page.click("#tab-convergence")
    assert EVIL in page.evaluate("document.querySelector('[data-chart=convergence]').textContent")


def test_many_optimizers_stay_few_in_colour(tmp_path: Path, opened: Open) -> None:
    names = [f"optimizer_{index:02d}" for index in range(24)]
    page = opened(reports.ensure(run(tmp_path / "run", optimizers=names)), "#tab=convergence&bands=0")
    shown = {trace["name"] for trace in traces(page, "convergence")}
    assert len(shown - {"others"}) == 8
    assert "others" in shown
    page.click("#tab-targets")
    for chart in ("reached", "profile"):
        assert {trace["line"]["color"] for trace in traces(page, chart) if trace["name"] == "others"} == {"#9aa1a8"}
    page.click("#shown-count")
    page.fill("#search", "_07")
    assert [button.inner_text() for button in page.locator("#chips button:visible").all()] == ["optimizer_07"]
    page.click("#choose-every")
    assert page.inner_text("#shown-count") == "Optimizers in colour: 1 of 24"


def test_what_diverged_is_a_cross_on_its_task(tmp_path: Path, opened: Open) -> None:
    units = run(tmp_path / "run").units
    some = [diverge(unit) if unit.name == "flowers--sgd--r01" else unit for unit in units]
    page = opened(reports.ensure(run(tmp_path / "run", some)), "#tab=task&task=flowers")
    crosses = traces(page, "final")[-1]
    names = page.evaluate("document.querySelector('[data-chart=final]').layout.yaxis.ticktext")
    assert [names[y] for y in crosses["y"]] == ["sgd"] == names[-1:]


def test_a_run_of_nothing_says_why(tmp_path: Path, browser: Any) -> None:
    index = reports.ensure(run(tmp_path / "run", [], failed={"flowers--sgd--r00": "took longer than 1 s"}))
    page = browser.new_page()
    page.goto(f"file://{index}")
    page.wait_for_selector("#panel-method", state="visible")
    assert "There are no results" in page.inner_text("main")
    assert "took longer than 1 s" in page.inner_text("main")
    assert page.is_hidden("#panel-answer")
    page.close()


@pytest.mark.parametrize("axis", ["width", "activation"])
def test_the_page_of_a_study_draws_itself(axis: str, opened: Open, tmp_path: Path) -> None:
    few: dict[str, Any] = {"trials": 2, "seeds": 1, "replicates": 2}
    planned = study.plan(axis, "diabetes(steps=20)", ["sgd", "adam"], transfer=axis == "width", **few)
    page = opened(studies.make(studying.run(planned, tmp_path)))
    charts = page.locator("[data-chart]")
    assert charts.count() == (9 if axis == "width" else 7)
    assert page.locator("[data-chart].js-plotly-plot").count() == charts.count()
    lines = page.locator("[data-chart=metric] .scatterlayer .trace")
    assert lines.count() == 2
    page.locator("#legend button").first.click()
    assert lines.count() == 1
    page.locator("#theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
