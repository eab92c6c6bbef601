"""Rules of thumb: entries that say what they mean, measures, verdicts with known error rates, and the command."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import tasks
from bench.__main__ import main
from bench.errors import UserError
from bench.records import Record
from bench.rules import catalogue, judging, optimization, own, running, verdicts
from bench.rules.measures import NARROW, Gap, LogLoss, LogSteps, Measure, Metric
from bench.rules.nouns import Arm, Claim, Experiment, Rule, perceptron
from bench.stats import LEVEL
from reports import rules as report

ROOT = Path(__file__).parent.parent
ENTRIES = [(rule, experiment) for rule in catalogue.RULES.values() for experiment in rule.experiments]
CLAIMS = [(rule, experiment, claim) for rule in catalogue.RULES.values() for experiment, claim in rule.claims]


def record(**given: Any) -> Record:
    """A record of two trials, of which training loss chose the second and validation loss the first, two seeds and
    three points; arrays of the final runs as (chosen, seeds, points)."""
    curve = np.array([[[8.0, 4.0, 2.0], [8.0, 4.0, 0.5]], [[8.0, 2.0, 1.0], [8.0, 2.0, 0.25]]])
    arrays = {
        "step": np.array([0, 50, 100]),
        "chosen": np.array([0, 1]),
        "selected/train": np.array(1),
        "selected/valid": np.array(0),
        "final/train/loss": curve,
        "final/test/loss": 3 * curve,
        "final/test/accuracy": curve / 10,
    }
    meta = {"replicate": 0, "budget": 100, "floor": 1e-4, "protocol": {}}
    return Record(meta | given.pop("meta", {}), arrays | given)


# Entries


@pytest.mark.parametrize("rule", catalogue.RULES.values(), ids=lambda rule: rule.name)
def test_entries_say_what_they_mean(rule: Rule) -> None:
    rule.check()
    assert rule.source
    for _, claim in rule.claims:
        assert claim.words.endswith(".")


@pytest.mark.parametrize(("rule", "experiment"), ENTRIES, ids=lambda x: x.name)
def test_tasks_of_arms_can_be_built_and_share_their_starts(rule: Rule, experiment: Experiment) -> None:
    from bench.program import _start

    starts: dict[Any, Any] = {}
    for arm in experiment.arms.values():
        task = arm.named(rule.task_name(experiment))
        task.build()
        start = _start(task, 0, "0")
        first = starts.setdefault(str(getattr(task, "widths", "")), start)
        for one, other in zip(_leaves(first.params), _leaves(start.params), strict=True):
            assert np.array_equal(one, other)


def _leaves(tree: Any) -> list[Any]:
    import jax

    return jax.tree.leaves(tree)


@pytest.mark.parametrize(("rule", "experiment", "claim"), CLAIMS, ids=lambda x: x.name)
def test_every_claim_has_the_power_that_it_needs(rule: Rule, experiment: Experiment, claim: Claim) -> None:
    level = LEVEL / catalogue.FAMILY
    assert verdicts.power(claim.threshold, claim.pilot, experiment.replicates, level) >= verdicts.POWER
    assert 2.0 ** (1 - experiment.replicates) * catalogue.FAMILY <= LEVEL  # or no flipping of signs could show it


def test_arms_that_differ_in_more_than_the_rule_is_about_are_refused() -> None:
    rule = catalogue.RULES["softmax"]
    experiment = rule.experiments[0]
    other = replace(experiment.arms["softmax"].named("x"), steps=7)
    wrong = replace(experiment, arms={**experiment.arms, "one against the rest": Arm(other, "sgd")})
    with pytest.raises(UserError, match="its arms differ in optimizer, steps, and should in loss alone"):
        replace(rule, experiments=(wrong,)).check()


def test_a_difference_of_differences_is_of_one_thing() -> None:
    (experiment,) = catalogue.RULES["relu"].experiments
    assert experiment.between("ReLU", "sigmoid") == {"activation"}
    assert experiment.differences() == {"activation", "widths"}
    both = replace(experiment.claims[0], worse="sigmoid, shallow")
    third = Arm(replace(perceptron("digits_deep"), l2=0.1), "momentum(momentum=0.9)")
    arms = {**experiment.arms, "third": third}
    more = replace(experiment, arms=arms, varies=("activation", "widths", "l2"), claims=(both,))
    with pytest.raises(UserError, match="arms that differ in activation, widths; one of these would do"):
        replace(catalogue.RULES["relu"], experiments=(more,)).check()
    wrong = replace(experiment.claims[1], beside=("ReLU, shallow", "sigmoid"))
    with pytest.raises(UserError, match="differences that are not of the same fields"):
        replace(catalogue.RULES["relu"], experiments=(replace(experiment, claims=(wrong,)),)).check()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"better": "nobody"}, "names 'nobody'"), ({"effect": 0.0}, "needs an effect"), ({"pilot": 0.0}, "a pilot above")],
)
def test_claims_that_make_no_sense_are_refused(change: dict[str, Any], said: str) -> None:
    rule = catalogue.RULES["softmax"]
    experiment = rule.experiments[0]
    wrong = replace(experiment, claims=(replace(experiment.claims[0], **change),))
    with pytest.raises(UserError, match=said):
        replace(rule, experiments=(wrong,)).check()


def test_two_claims_of_one_name_are_refused() -> None:
    rule = catalogue.RULES["softmax"]
    with pytest.raises(UserError, match="have one name"):
        replace(rule, experiments=(rule.experiments[0], rule.experiments[0])).check()


def test_unknown_rules_are_named() -> None:
    with pytest.raises(UserError, match="momentun"):
        catalogue.chosen(["momentun"])
    assert [rule.name for rule in catalogue.chosen(["relu", "momentum"])] == ["momentum", "relu"]


def test_the_least_squares_loss_is_that_of_least_squares() -> None:
    table = optimization.LINEAR.table()
    x = np.column_stack([table.x[table.train].astype(float), np.ones(len(table.train))])
    y = table.y[table.train, 0].astype(float)
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    assert 0.5 * ((x @ weights - y) ** 2).mean() == pytest.approx(optimization.LEAST_SQUARES, abs=1e-6)
    curvatures = np.linalg.eigvalsh(x.T @ x / len(x))
    assert curvatures[-1] / curvatures[0] == pytest.approx(470, rel=0.01)  # as the entry says


# Tasks of their own


def test_recall_of_rare_classes_leaves_the_others_out() -> None:
    targets = np.eye(3)[[0] * 6 + [1] * 5 + [2]].astype(np.float32)  # an even share is 4, so 2 alone is rare
    member = np.ones((1, 12), bool)
    outputs = targets.copy()
    assert own.rare_recall(outputs, targets, member) == pytest.approx([1.0])
    outputs[:11] = [0, 0, 1]  # the others all wrong
    assert own.rare_recall(outputs, targets, member) == pytest.approx([1.0])
    outputs[11] = [1, 0, 0]
    assert own.rare_recall(outputs, targets, member) == pytest.approx([0.0])


def test_more_is_told_of_unequal_classes_and_the_rest_stays_as_it_is() -> None:
    task = catalogue.RULES["imbalance"].experiments[0].arms["plain"].named("diamonds_cut_unweighted")
    plain = tasks.get("diamonds_cut_unweighted")
    params = task.build().init(_key())
    told = task.build().evaluate(params, task.data().evaluation)["test"]
    before = plain.build().evaluate(params, plain.data().evaluation)["test"]
    assert {name: float(told[name]) for name in before} == {name: float(value) for name, value in before.items()}
    assert set(told) == {"loss", "macro_f1", "macro_recall", "rare_recall", "accuracy"}


def _key() -> Any:
    import jax

    return jax.random.key(0)


def test_features_are_as_frequent_as_is_said() -> None:
    assert own.ZIPF.sum() == pytest.approx(own.EVEN.sum())
    x = own.SPARSE.train["x"]
    assert x.mean(0) == pytest.approx(own.ZIPF, abs=0.03)
    assert set(np.unique(x)) == {0.0, 1.0}
    assert [len(part["x"]) for part in (own.SPARSE.train, own.SPARSE.valid, own.SPARSE.test)] == [6400, 800, 800]


# Measures


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (LogLoss("train"), (np.log(1) + np.log(0.25)) / 2),
        (LogLoss("test"), (np.log(6) + np.log(1.5)) / 2),
        (LogSteps(2.0), np.log(50)),
        (LogSteps(4.0), np.log(25)),  # half way in log loss
        (LogSteps(0.5), (np.log(100) + np.log(50 + 50 * np.log(4) / np.log(8))) / 2),  # the first misses it
        (LogSteps(2.0, passes=10), np.log(5)),
        (LogSteps(100.0), 0.0),  # there at the start: one step
        (Gap(), (np.log(4) + np.log(1)) / 2),
        (Metric("accuracy", "accuracy"), (0.2 + 0.05) / 2),
    ],
    ids=repr,
)
def test_measures_have_known_answers(measure: Measure, value: float) -> None:
    assert measure(record()) == pytest.approx(value)


def test_a_run_that_diverged_has_learned_nothing() -> None:
    broken = record()
    for name in ("final/train/loss", "final/test/loss", "final/test/accuracy"):
        broken.arrays[name][..., 1:] = np.nan
    assert LogLoss("train")(broken) == pytest.approx(np.log(8))
    assert LogLoss("test")(broken) == pytest.approx(np.log(24))
    assert LogSteps(2.0)(broken) == pytest.approx(np.log(100))
    assert Metric("accuracy", "accuracy")(broken) == 0
    assert Gap()(record(**{"final/test/loss": np.zeros((2, 2, 3))})) == pytest.approx(np.log(NARROW))


def test_effects_are_scaled_and_said_as_they_are_named() -> None:
    loss, metric = LogLoss(), Metric("accuracy", "accuracy")
    assert loss.scaled(0.1) == pytest.approx(np.log(1 / 0.9))
    assert metric.scaled(0.02) == 0.02
    assert loss.said(loss.scaled(0.1)) == "10.0 % less"
    assert loss.said(-np.log(1.5)) == "50.0 % more"
    assert loss.said(-np.log(3)) == "200 % more"
    assert loss.said(loss.scaled(0.1), named=True) == "10 %"
    assert metric.said(0.021) == "2.1 points more"
    assert metric.said(-0.021) == "2.1 points less"
    assert metric.said(0.02, named=True) == "2.0 points"


def test_gains_go_the_rules_way() -> None:
    claim = Claim("c", "C.", "a", "b", LogLoss(), 0.1, 0.1)
    of = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 3.0]), "c": np.array([0.0, 0.0]), "d": np.array([1.0, 0.5])}
    assert judging.differences(claim, of).tolist() == [2.0, 1.0]
    assert judging.differences(replace(claim, beside=("c", "d")), of).tolist() == [1.0, 0.5]
    assert judging.differences(replace(claim, measure=Metric("m", "m")), of).tolist() == [-2.0, -1.0]


def test_arms_at_the_edge_of_their_space_are_told() -> None:
    claim = Claim("c", "C.", "a", "b", LogLoss("train"), 0.1, 0.1)
    arms = {name: Arm("diabetes", spec) for name, spec in (("a", "sgd"), ("b", "momentum(momentum=0.9)"))}
    experiment = Experiment("e", "E.", arms, ("optimizer",), (claim,), 8)
    rule = Rule("r", "R.", "Nobody", (experiment,))
    inner, outer = np.array([0.3, 0.5, 0.7]), np.array([0.3, 0.5, 0.99])

    def told(positions: np.ndarray, chosen: int) -> list[Record]:
        own = {
            "hparams/learning_rate": positions, "position/learning_rate": positions,
            "open/learning_rate": np.array([True, True]), "selected/train": np.array(chosen),
            "chosen": np.array([0, chosen]),
        }  # fmt: skip
        return [record(meta={"replicate": r}, **own) for r in range(8)]

    records = {("r", "e"): {"a": told(inner, 1), "b": told(outer, 2)}}
    (found,) = judging.findings([rule], records, 1)
    assert found.edges == {"b": [("learning_rate", "upper")]}
    page = report.render(report.Told([found], {}, 1, ()))
    assert "At the edge of what was searched, so that it could be better: b (upper learning rate)." in page
    assert "The arms a and b differ in the optimizer." in page


def test_a_missing_replicate_is_left_out_as_a_pair() -> None:
    there = [record(meta={"replicate": r}) for r in (0, 2, 5)]
    assert np.isnan(judging.values(LogLoss(), there, 4)).tolist() == [False, True, False, True]


# Verdicts

NOISE = np.array([0.6, -1.1, 0.3, 1.4, -0.7, -0.2, 0.9, -1.3, 0.5, -0.4, 1.0, -0.8, 0.2, -0.3, 0.7, -0.8])


@pytest.mark.parametrize(
    ("mean", "spread", "said"),
    [
        (0.5, 0.1, verdicts.HOLDS),
        (-0.5, 0.1, verdicts.AGAINST),
        (0.01, 0.1, verdicts.NONE),
        (0.1, 0.01, verdicts.NONE),  # shown, and too small to matter
        (0.1, 0.4, verdicts.UNDECIDED),
        (0.25, 0.1, verdicts.HOLDS),  # though whether it is as large as the named effect is open
    ],
)
def test_verdicts_of_known_cases(mean: float, spread: float, said: str) -> None:
    found = verdicts.estimate(mean + spread * (NOISE - NOISE.mean()), 0.2)
    p, p_equal = verdicts.adjusted([found], 10)
    assert verdicts.verdict(found, float(p[0]), float(p_equal[0]), 0.2) == said
    assert found.mean == pytest.approx(mean)


def test_few_replicates_decide_nothing() -> None:
    for values in ([], [0.5], [np.nan, 0.5]):
        found = verdicts.estimate(np.array(values, float), 0.2)
        assert verdicts.verdict(found, found.p, found.p_equal, 0.2) == verdicts.UNDECIDED


def test_differences_that_do_not_vary_are_decided_by_flips() -> None:
    found = verdicts.estimate(np.full(16, 0.5), 0.2)
    assert (found.sd, found.p, found.p_equal) == (0.0, 2.0**-15, 1.0)
    assert verdicts.estimate(np.full(16, 0.1), 0.2).p_equal == 0.0
    assert verdicts.power(0.1, 0.0, 16, 0.05) == 1.0
    assert verdicts.smallest(0.0, 16, 0.05) == 0.0


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    from scipy.stats import ttest_1samp

    values = 0.05 + 0.1 * NOISE
    found = verdicts.estimate(values, 0.2)
    one = ttest_1samp(values, 0.2, alternative="less").pvalue
    other = ttest_1samp(values, -0.2, alternative="greater").pvalue
    assert found.p_equal == pytest.approx(max(one, other))


def _verdicts(true: float, runs: int, replicates: int, family: int = 20) -> Mapping[str, float]:
    """How often which verdict is given of one claim among a family, of differences of spread 1, the effect being 1."""
    draws = np.random.default_rng(3).normal(true, 1.0, (runs, replicates))
    said = []
    for row in draws:
        found = verdicts.estimate(row, 1.0)
        p, p_equal = verdicts.adjusted([found], family)
        said.append(verdicts.verdict(found, float(p[0]), float(p_equal[0]), 1.0))
    return {kind: said.count(kind) / runs for kind in (verdicts.HOLDS, verdicts.AGAINST, verdicts.NONE)}


def test_verdicts_are_as_seldom_wrong_as_they_promise() -> None:
    none = _verdicts(0.0, 1000, 14)
    assert none[verdicts.HOLDS] + none[verdicts.AGAINST] <= 0.01  # a twentieth of 5 %, and some luck
    edge = _verdicts(1.0, 1000, 14)
    assert edge[verdicts.NONE] <= 0.01
    assert edge[verdicts.AGAINST] == 0


@pytest.mark.parametrize("level", [0.05, 0.002])
def test_power_is_what_a_simulation_finds(level: float) -> None:
    from scipy.stats import ttest_1samp

    draws = np.random.default_rng(5).normal(0.8, 1.0, (20_000, 16))
    tests = ttest_1samp(draws, 0.0, axis=1)
    seen = ((tests.pvalue <= level) & (tests.statistic > 0)).mean()
    assert verdicts.power(0.8, 1.0, 16, level) == pytest.approx(seen, abs=0.015)


def test_flipping_signs_has_nearly_that_power() -> None:
    draws = np.random.default_rng(6).normal(1.2, 1.0, (400, 16))
    seen = np.mean([verdicts.estimate(row, 1.0).p <= 0.002 for row in draws])
    assert seen == pytest.approx(verdicts.power(1.2, 1.0, 16, 0.002), abs=0.06)


def test_the_smallest_difference_and_the_replicates_needed_go_with_power() -> None:
    least = verdicts.smallest(0.3, 20, 0.002)
    assert verdicts.power(least, 0.3, 20, 0.002) == pytest.approx(verdicts.POWER)
    enough = verdicts.needed(0.2, 0.3, 0.002)
    powers = [verdicts.power(0.2, 0.3, n, 0.002) for n in (enough - 1, enough)]
    assert powers[0] < verdicts.POWER <= powers[1]
    curve = [verdicts.power(effect, 0.3, 20, 0.002) for effect in np.linspace(0, 1, 9)]
    assert all(one <= other for one, other in pairwise(curve))
    assert np.isnan(verdicts.smallest(float("nan"), 20, 0.002))


# The command


def test_experiments_that_can_share_folders_do_and_names_are_once_in_each() -> None:
    batches = running.batches(list(catalogue.RULES.values()))
    assert len(batches) < len(ENTRIES) * 2
    for batch in batches:
        assert len({task.name for task in batch.tasks}) == len(batch.tasks)
    tasks_of = sum(len(batch.tasks) for batch in batches)
    assert tasks_of == sum(len({*map(str, (a.task for a in e.arms.values()))}) for _, e in ENTRIES)


def test_a_pilot_has_other_seeds_than_what_it_plans() -> None:
    rules = list(catalogue.RULES.values())
    names, pilots = ({t.name for b in running.batches(of) for t in b.tasks} for of in (rules, running.piloted(rules)))
    assert not names & pilots


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A rule that takes seconds, among the others."""
    task = replace(tasks.get("diabetes"), steps=20)
    arms = {"momentum": Arm(task, "momentum(momentum=0.9)"), "<SGD>": Arm(task, "sgd")}
    claims = (
        Claim("loss", "Momentum ends lower.", "momentum", "<SGD>", LogLoss("train"), 0.1, 0.1),
        Claim("steps", "Momentum is faster.", "momentum", "<SGD>", LogSteps(0.4), 0.25, 0.1),
    )
    protocol = {"trials": 2, "seeds": 1, "evaluations": 4}
    experiment = Experiment("one", "An experiment.", arms, ("optimizer",), claims, 3, protocol)
    rule = Rule("tiny", "It is <b>fast</b>.", "Nobody, 2026", (experiment,))
    monkeypatch.setitem(catalogue.RULES, rule.name, rule)
    return rule.name


@pytest.mark.slow
def test_the_command_runs_a_rule_and_reports_it(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["rules", tiny, "--out", str(tmp_path), "--workers", "1"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "tiny loss: undecided" in said  # three replicates cannot say more
    page = (tmp_path / "report-tiny/index.html").read_text()
    assert "It is &lt;b&gt;fast&lt;/b&gt;." in page
    assert "&lt;SGD&gt;" in page
    assert "<SGD>" not in page
    assert "http" not in page.replace("http-equiv", "")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report-tiny/rules.csv").read_text())))
    assert [row["claim"] for row in rows] == ["loss", "steps"]
    assert {row["replicates"] for row in rows} == {"3"}
    for ending in ("png", "svg", "pdf"):
        assert (tmp_path / f"report-tiny/figures/rules.{ending}").stat().st_size > 1000
    units = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(units) == 6
    assert main(arguments) == 0
    assert "kept from before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == units


def test_the_command_refuses_a_rule_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"), [(["relu", "--write", "docs"], "without names"), (["--write", "nowhere"], "is not there")]
)
def test_what_could_not_be_written_is_refused_at_once(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", *arguments, "--out", str(tmp_path / "runs")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_pilot_says_how_many_replicates_are_needed(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", tiny, "--pilot", "--out", str(tmp_path), "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"pilot_tiny loss: sd [\d.]+, \d+ replicates show a difference of 10 % with a power of 80 %", said)
    assert len(list(tmp_path.rglob("*.npz"))) == 2 * running.PILOT


# What is said


def finding(gains: np.ndarray, measure: Measure, effect: float) -> judging.Finding:
    """A made-up one, of one claim among ten."""
    claim = Claim("c", "It helps.", "a", "b", measure, effect, 0.1)
    experiment = Experiment("e", "An experiment.", {"a": Arm("digits", "sgd"), "b": Arm("digits", "adam")},
                            ("optimizer",), (claim,), len(gains))  # fmt: skip
    rule = Rule("r", "A rule.", "Nobody", (experiment,))
    found = verdicts.estimate(gains, claim.threshold)
    p, p_equal = (float(values[0]) for values in verdicts.adjusted([found], 10))
    return judging.Finding(
        rule, experiment, claim, {"a": np.zeros(len(gains)), "b": gains}, gains, found, 0.9, 0.9, 0.1, {}, {},
        p, p_equal, verdicts.verdict(found, p, p_equal, claim.threshold),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "words", "more"),
    [
        (0.5, "holds", "All of the interval is at 10 % or beyond."),
        (
            -0.5,
            "the opposite holds",
            "Seen from the other side it is 39.3 % less (38.8 % to 39.9 % less). All of the interval is at 10 % or",
        ),
        (-0.11, "the opposite holds", "Whether it is 10 % or more is not shown."),
        (-0.05, "the opposite holds, by less than 10 %", "A smaller one is shown."),
        (0.11, "holds", "Whether it is 10 % or more is not shown."),
        (0.05, "holds, by less than 10 %", "A smaller one is shown."),
        (0.0, "no difference of 10 %", "is ruled out"),
    ],
)
def test_verdicts_are_said_in_words(mean: float, words: str, more: str) -> None:
    found = finding(mean + 0.02 * (NOISE - NOISE.mean()), LogLoss(), 0.1)
    assert report.verdict_words(found) == words
    assert more in report.sentence(found)
    assert f"in {len(NOISE)} paired replicates" in report.sentence(found)


def test_an_undecided_claim_says_what_would_have_been_seen() -> None:
    found = finding(0.1 + NOISE - NOISE.mean(), LogLoss(), 0.1)
    assert report.verdict_words(found) == "undecided"
    assert "would have been seen" in report.sentence(found)


def test_the_summary_counts() -> None:
    both = [finding(mean + 0.02 * (NOISE - NOISE.mean()), LogLoss(), 0.1) for mean in (0.5, 0.4, -0.5)]
    assert report.summary(report.Told(both, {}, 10, ())) == "Of 3 claims 2 hold, and of 1 the opposite holds."


# What the documentation shows


def test_the_table_of_the_documentation_is_of_all_claims_as_they_were_measured() -> None:
    text = (ROOT / "docs/rules.md").read_text()
    measured = list(csv.DictReader(io.StringIO((ROOT / "docs/rules.csv").read_text())))
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| rule", "| ---"))]
    known = {(rule.name, claim.name): claim.words for rule, _, claim in CLAIMS}
    for row in measured:  # of what the catalogue has; what is new in it is there when it was measured
        assert known[row["rule"], row["claim"]] == row["words"]
    for row, line in zip(measured, lines, strict=True):
        rule, words, said, difference, *_ = [cell.strip() for cell in line.strip("|").split("|")]
        assert (rule, words) == (row["rule"], row["words"])
        assert difference == f"{row['measure']}: {row['in_words']}"
        effect = row["named_effect"]
        way = "holds" if float(row["difference"]) > 0 else "the opposite holds"
        small = f"{way}, by less than {effect}" if float(row["p_holm"]) <= LEVEL else f"no difference of {effect}"
        short = {"against": "the opposite holds", "no difference": small}
        assert said == f"**{short.get(row['verdict'], row['verdict'])}**"
        assert float(row["power"]) >= verdicts.POWER
    assert re.search(r"measured on \d{4}-\d\d-\d\d", text.replace("\n", " ").lower())


def test_the_entry_that_the_documentation_shows_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.rules import nouns

    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/rules.md").read_text(), re.DOTALL)[0]
    scope: dict[str, Any] = {**vars(nouns), "LogSteps": LogSteps}
    exec(code, scope)
    rule = scope["TANH"]
    rule.check()
    assert [len(batch.tasks) for batch in running.batches([rule])] == [1, 1]


def test_a_table_goes_between_the_marks_of_a_document() -> None:
    told = report.Told([finding(0.5 + 0.02 * NOISE, LogLoss(), 0.1)], {}, 10, (("cpu", "an abacus"),))
    text = report.documented(f"before\n{report.BEGIN}\nstale numbers\n{report.END}\nafter\n", told, "2026-01-02")
    assert text.startswith(f"before\n{report.BEGIN}\n\n| rule |")
    assert "Measured on 2026-01-02; cpu an abacus. Of 1 claim 1 holds." in text
    assert text.endswith(f"{report.END}\nafter\n")
    assert "stale numbers" not in text
    with pytest.raises(UserError, match="no place for the table"):
        report.documented("nothing", told, "2026-01-02")
