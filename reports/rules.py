"""What came of the rules of thumb: verdicts in words, as a table, as a page and as pictures, all made of findings."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import optimizers
from bench.errors import UserError
from bench.files import write_atomically
from bench.rules import verdicts
from bench.rules.judging import Finding
from bench.rules.measures import LogSteps
from bench.rules.nouns import Claim, Experiment, Rule
from bench.stats import LEVEL, Array
from reports import page, strips
from reports.tables import chance, number
from reports.words import listed

MARKS = {verdicts.HOLDS: "✓", verdicts.AGAINST: "✗", verdicts.NONE: "=", verdicts.UNDECIDED: "?"}
KINDS = {verdicts.HOLDS: "holds", verdicts.AGAINST: "against", verdicts.NONE: "none", verdicts.UNDECIDED: "undecided"}
COLUMNS = (
    "rule", "claim", "words", "verdict", "measure", "favoured", "beside", "favoured_mean", "beside_mean", "difference",
    "low", "high", "in_words", "named_effect", "replicates", "sd", "p", "p_holm", "p_equal_holm", "power",
    "planned_power", "smallest_detectable",
)  # fmt: skip
BEGIN, END = "<!-- verdicts -->", "<!-- end of verdicts -->"
VARIED = {"batch_size": "the batch", "steps": "the number of steps", "train": "the rows", "l2": "the L2 penalty"}
SCRIPT = """(() => {
const root = document.documentElement;
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
})();
"""

Curves = Mapping[str, tuple[Array, Array]]  # by arm: steps (P,), losses (runs, P)


@dataclass(frozen=True)
class Told:
    """All that is told of rules.

    Attributes:
      findings: one a claim, in the order of the entries.
      curves: training losses of the final runs, by (rule, experiment).
      family: claims that p-values are adjusted for.
      facts: what the page says of the run, as (words, value).
    """

    findings: Sequence[Finding]
    curves: Mapping[tuple[str, str], Curves]
    family: int
    facts: Sequence[tuple[str, str]]


def verdict_words(found: Finding) -> str:
    """The verdict in a few words."""
    if found.verdict == verdicts.NONE:
        if found.p > LEVEL:
            return f"no difference of {named(found)}"
        return f"{'holds' if found.estimate.mean > 0 else 'the opposite holds'}, by less than {named(found)}"
    words = {verdicts.HOLDS: "holds", verdicts.AGAINST: "the opposite holds", verdicts.UNDECIDED: "undecided"}
    return words[found.verdict]


def named(found: Finding) -> str:
    """The named effect."""
    return found.claim.measure.said(found.claim.threshold, named=True)


def difference_words(found: Finding) -> str:
    """The difference with its interval: 12.1 % less (8.0 % less to 15.9 % less)."""
    said, est = found.claim.measure.said, found.estimate
    if not np.isfinite(est.low):
        return "too few replicates"
    return f"{said(est.mean)} ({_span(said(est.low), said(est.high))})"


def _turned(found: Finding) -> str:
    """The same difference as the arm that came out better has it: 50 % more of the one is 33 % less of the other."""
    said, est = found.claim.measure.said, found.estimate
    return f"{said(-est.mean)} ({_span(said(-est.high), said(-est.low))})"


def _span(low: str, high: str) -> str:
    """Two ends, the direction said once where it is one."""
    one, other = low.rpartition(" ")[2], high.rpartition(" ")[2]
    return f"{low.rpartition(' ')[0]} to {high}" if one == other else f"{low} to {high}"


def sentence(found: Finding) -> str:
    """The verdict with its numbers, for a reader who sees nothing else."""
    claim, est = found.claim, found.estimate
    told = f"{claim.measure.words[0].upper()}{claim.measure.words[1:]}: {claim.better} beside {claim.worse}"
    if claim.beside:
        told += f", over the same of {claim.beside[0]} beside {claim.beside[1]}"
    told += f", {difference_words(found)} in {est.replicates} paired replicates; p {_p(found.p)}."
    return f"{told} {_meaning(found)}"


def _p(p: float) -> str:
    return chance(p) if p < 0.001 else f"= {chance(p)}"


def _meaning(found: Finding) -> str:
    est, effect, what = found.estimate, found.claim.threshold, named(found)
    if found.verdict == verdicts.NONE:
        smaller = " A smaller one is shown." if found.p <= LEVEL else ""
        return f"A difference of {what} or more is ruled out, either way (p {_p(found.p_equal)}).{smaller}"
    if found.verdict == verdicts.HOLDS:
        return _size(est.low, effect, what)
    if found.verdict == verdicts.AGAINST:
        return f"Seen from the other side it is {_turned(found)}. {_size(-est.high, effect, what)}"
    return (
        f"Neither a difference nor that there is none of {what} is shown; with a power of 80 % one of "
        f"{found.claim.measure.said(found.smallest, named=True)} would have been seen."
    )


def _size(nearest: float, effect: float, what: str) -> str:
    """Where the end of the interval that is nearest to nothing lies."""
    if nearest >= effect:
        return f"All of the interval is at {what} or beyond."
    return f"Whether it is {what} or more is not shown."


def to_csv(told: Told) -> str:
    """One line a claim; differences on the scale they were tested on: logs of ratios, or shares for metrics."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for f in told.findings:
        mean = {arm: f.claim.measure.natural(float(np.nanmean(values))) for arm, values in f.values.items()}
        e = f.estimate
        numbers = (e.mean, e.low, e.high)
        writer.writerow([
            f.rule.name, f.claim.name, f.claim.words, f.verdict, f.claim.measure.words, f.claim.better, f.claim.worse,
            f"{mean[f.claim.better]:.5g}", f"{mean[f.claim.worse]:.5g}", *(f"{value:.5g}" for value in numbers),
            difference_words(f), named(f), e.replicates, f"{e.sd:.4g}", f"{e.p:.3g}", f"{f.p:.3g}", f"{f.p_equal:.3g}",
            f"{f.power:.3f}", f"{f.planned:.3f}", f"{f.smallest:.4g}",
        ])  # fmt: skip
    return out.getvalue()


def to_markdown(told: Told) -> str:
    """The table of verdicts."""
    head = "| rule | claim | verdict | difference (95 % interval) | p | named effect: power | smallest detectable |"
    lines = [head, "| --- | --- | --- | --- | --: | --: | --: |"]
    for f in told.findings:
        least = f.claim.measure.said(f.smallest, named=True)
        lines.append(
            f"| {f.rule.name} | {f.claim.words} | **{verdict_words(f)}** | {f.claim.measure.words}: "
            f"{difference_words(f)} | "
            f"{chance(f.p)} | {named(f)}: {percent(f.power)} | {least} |"
        )
    return "\n".join([*lines, ""])


def documented(text: str, told: Told, day: str) -> str:
    """A document with the table between its marks, and under it when and where it was measured.

    Raises:
      UserError: the document has no such marks.
    """
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise UserError(f"the document has no place for the table: a line {BEGIN} and after it a line {END}")
    where = ", ".join(f"{words} {value}" for words, value in told.facts)
    return f"{before}{BEGIN}\n\n{to_markdown(told)}\nMeasured on {day}; {where}. {summary(told)}\n\n{END}{after}"


def percent(share: float) -> str:
    """A share of one as whole percent; a little is never nothing, and most never all."""
    if np.isnan(share):
        return "–"
    if 0 < share < 0.005 or 0.995 <= share < 1:
        return "<1 %" if share < 0.5 else ">99 %"
    return f"{100 * share:.0f} %"


def summary(told: Told) -> str:
    """How many claims came out how."""
    held, against, none, open_ = (sum(f.verdict == kind for f in told.findings) for kind in MARKS)
    parts = [
        f"{held} hold{'s' if held == 1 else ''}" if held else "",
        f"of {against} the opposite holds" if against else "",
        f"for {none} a difference that would matter is ruled out" if none else "",
        f"{open_} {'is' if open_ == 1 else 'are'} undecided" if open_ else "",
    ]
    *first, last = [part for part in parts if part] or ["nothing is known"]
    many = f"Of {len(told.findings)} claim{'s' if len(told.findings) != 1 else ''} "
    return f"{many}{', '.join(first)}{', and ' if first else ''}{last}."


def make(told: Told, folder: Path) -> Path:
    """Writes page, table and picture; returns the page.

    Raises:
      UserError: the folder cannot be written.
    """
    from reports import drawing

    write_atomically(folder / "rules.csv", to_csv(told).encode())
    write_atomically(folder / "rules.md", to_markdown(told).encode())
    for ending, content in drawing.render(
        strips.forest(told.findings, [verdict_words(f) for f in told.findings])
    ).items():
        write_atomically(folder / "figures" / f"rules.{ending}", content)
    write_atomically(folder / "index.html", render(told).encode())
    return folder / "index.html"


def render(told: Told) -> str:
    """The page: one file, without a network."""
    environment = Environment(
        loader=FileSystemLoader(page.TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("rules.html.j2").render(
        style=Markup((page.TEMPLATES / "page.css").read_text() + (page.TEMPLATES / "rules.css").read_text()),
        script=Markup(SCRIPT),
        allowed=Markup(f"'sha256-{page.sha256(SCRIPT)}'"),
        summary=summary(told),
        rows=[_row(found) for found in told.findings],
        rules=[_rule(rule, told) for rule in _unique(found.rule for found in told.findings)],
        family=told.family,
        level=LEVEL,
        facts=told.facts,
    )


def _unique(rules: Any) -> list[Rule]:
    return list({rule.name: rule for rule in rules}.values())


def _row(found: Finding) -> dict[str, Any]:
    """What the page holds of a claim; a number and its unit stay on one line."""
    measure = found.claim.measure
    row = {
        "anchor": f"{found.rule.name}-{found.claim.name}",
        "rule": found.rule.name,
        "claim": found.claim.words,
        "kind": KINDS[found.verdict],
        "mark": MARKS[found.verdict],
        "verdict": verdict_words(found),
        "measure": measure.words,
        "difference": difference_words(found),
        "p": chance(found.p),
        "named": named(found),
        "power": percent(found.power),
        "planned": percent(found.planned),
        "smallest": measure.said(found.smallest, named=True),
        "replicates": found.estimate.replicates,
        "sentence": sentence(found),
        "missed": _missed(found),
        "edges": _edges(found),
        "differ": f"The arms {listed([*found.claim.arms[:2]])} differ in {_varied(found.experiment, found.claim)}.",
    }
    kept = {
        name: value.replace(" %", "\N{NO-BREAK SPACE}%").replace("p = ", "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        for name, value in row.items()
        if isinstance(value, str)
    }
    return {**row, **kept, "strip": strips.strip(found)}


def _missed(found: Finding) -> str:
    some = [f"{percent(share)} of the runs of {arm}" for arm, share in found.missed.items() if share]
    return f"{listed(some)} miss the target and count as reaching it at their end." if some else ""


def _edges(found: Finding) -> str:
    """Which arms could be better than they are here."""
    ends = {arm: listed([f"{side} {name.replace('_', ' ')}" for name, side in at]) for arm, at in found.edges.items()}
    at = [f"{arm} ({end})" for arm, end in ends.items()]
    return f"At the edge of what was searched, so that it could be better: {listed(at)}." if at else ""


def _varied(experiment: Experiment, claim: Claim) -> str:
    """What the two arms of a claim differ in; of optimizers of one rule in what is fixed of them."""
    one, other = (optimizers.parse(experiment.arms[arm].optimizer) for arm in (claim.better, claim.worse))
    fixed = [f"the {name.replace('_', ' ')}" for name in one.fixed if one.fixed[name] != other.fixed.get(name)]
    rule = fixed if one.target == other.target else ["the optimizer"]
    names = experiment.between(claim.better, claim.worse) - {"valid", "test"}
    tasks = [VARIED.get(name, f"the {name}") for name in experiment.varies if name in names - {"optimizer"}]
    return listed([*(rule if "optimizer" in names else []), *tasks])


def _rule(rule: Rule, told: Told) -> dict[str, Any]:
    own = [found for found in told.findings if found.rule.name == rule.name]
    experiments = [
        _experiment(rule, e, [f for f in own if f.experiment.name == e.name], told) for e in rule.experiments
    ]
    return {
        "name": rule.name, "statement": rule.statement, "source": rule.source, "experiments": experiments,
    }  # fmt: skip


def _experiment(rule: Rule, experiment: Experiment, own: Sequence[Finding], told: Told) -> dict[str, Any]:
    protocol = experiment.protocol
    tuned = (
        f"each arm tuned by {protocol['trials']} trials in every replicate and run again on {protocol['seeds']} "
        f"fresh seeds"
        if protocol["trials"] > 1
        else f"{protocol['seeds']} seeds in each replicate"
    )
    targets = [f.claim.measure.target for f in own if isinstance(f.claim.measure, LogSteps)]
    curves = told.curves.get((rule.name, experiment.name), {})
    return {
        "words": experiment.words,
        "how": f"{experiment.replicates} replicates, {tuned}.",
        "claims": [_row(found) for found in own],
        "curves": strips.curves(curves, targets) if targets and curves else "",
        "targets": listed([number(target) for target in dict.fromkeys(targets)]),
    }
