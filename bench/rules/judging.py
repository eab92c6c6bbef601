"""From results to findings: the numbers and the verdict of each claim. Pure: records in, findings out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.edges import at_edge
from bench.records import Record
from bench.rules import verdicts
from bench.rules.measures import LogSteps, Measure
from bench.rules.nouns import Claim, Experiment, Rule
from bench.stats import LEVEL, Array

Records = Mapping[str, Sequence[Record]]  # of an experiment, by arm


@dataclass(frozen=True)
class Finding:
    """What came of one claim.

    Attributes:
      values: {arm: (R,)} the measure of each replicate, NaN where it is missing.
      differences: (R,), positive where they go the rule's way.
      power: of the named effect with the standard deviation that was observed, at the strictest level of Holm's.
      planned: the same with the pilot's.
      smallest: difference that is shown with a power of 80 %, on the scale of differences.
      missed: {arm: share of final runs that never reach the target}, where there is one.
      edges: {arm: (hyperparameter, side)} where its settings lie at the edge of what was searched, so that it could do
        better than here.
      p, p_equal: Holm-adjusted over all claims of the catalogue.
    """

    rule: Rule
    experiment: Experiment
    claim: Claim
    values: Mapping[str, Array]
    differences: Array
    estimate: verdicts.Estimate
    power: float
    planned: float
    smallest: float
    missed: Mapping[str, float]
    edges: Mapping[str, Sequence[tuple[str, str]]]
    p: float = 1.0
    p_equal: float = 1.0
    verdict: str = verdicts.UNDECIDED


def values(measure: Measure, records: Sequence[Record], replicates: int) -> Array:
    """(replicates,) the measure of each record at its replicate's place, NaN elsewhere."""
    found = np.full(replicates, np.nan)
    for record in records:
        if record.meta["replicate"] < replicates:
            found[record.meta["replicate"]] = measure(record)
    return found


def differences(claim: Claim, of: Mapping[str, Array]) -> Array:
    """(R,) by how much the favoured arm is better, less what it is elsewhere if the claim is of that."""
    gain = claim.measure.sign * (of[claim.better] - of[claim.worse])
    if claim.beside is None:
        return gain
    better, worse = claim.beside
    return gain - claim.measure.sign * (of[better] - of[worse])


def findings(rules: Sequence[Rule], results: Mapping[tuple[str, str], Records], family: int) -> list[Finding]:
    """One for each claim, in the order of the entries.

    Args:
      results: by (rule, experiment).
      family: how many claims p-values are adjusted for: all of the catalogue, whichever are looked at.
    """
    found = [
        _finding(rule, experiment, claim, results[rule.name, experiment.name], LEVEL / max(family, 1))
        for rule in rules
        for experiment, claim in rule.claims
    ]
    adjusted = zip(*verdicts.adjusted([one.estimate for one in found], family), strict=True)
    return [
        replace(one, p=float(p), p_equal=float(q), verdict=verdicts.verdict(one.estimate, p, q, one.claim.threshold))
        for one, (p, q) in zip(found, adjusted, strict=True)
    ]


def _finding(rule: Rule, experiment: Experiment, claim: Claim, records: Records, level: float) -> Finding:
    """One whose p-values are yet to be adjusted for the others."""
    of = {arm: values(claim.measure, records.get(arm, ()), experiment.replicates) for arm in experiment.arms}
    gains = differences(claim, of)
    found = verdicts.estimate(gains, claim.threshold)
    at = {arm: at_edge(records.get(arm, ()), claim.measure.chooser) for arm in claim.arms}
    return Finding(
        rule=rule,
        experiment=experiment,
        claim=claim,
        values=of,
        differences=gains,
        estimate=found,
        power=verdicts.power(claim.threshold, found.sd, found.replicates, level),
        planned=verdicts.power(claim.threshold, claim.pilot, experiment.replicates, level),
        smallest=verdicts.smallest(found.sd, found.replicates, level),
        missed=_missed(claim, records),
        edges={arm: edges for arm, edges in at.items() if edges},
    )


def curves(records: Records) -> dict[str, tuple[Array, Array]]:
    """Of each arm the points (P,) and the training losses (runs, P) of the final runs of the setting that training loss
    chose."""
    return {
        arm: (own[0].arrays["step"], np.concatenate([record.final("train", "train/loss") for record in own]))
        for arm, own in records.items()
        if own
    }


def _missed(claim: Claim, records: Records) -> dict[str, float]:
    measure = claim.measure
    if not isinstance(measure, LogSteps):
        return {}
    times = {arm: [measure.times(record) for record in records.get(arm, ())] for arm in claim.arms}
    return {arm: float(np.isinf(np.concatenate(of)).mean()) for arm, of in times.items() if of}
